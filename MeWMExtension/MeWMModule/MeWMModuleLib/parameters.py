"""Everything the user chooses in the panel, as one typed class that is saved and restored with the scene."""

from __future__ import annotations

# Slicer's wrapper reads the annotations at run time and knows Union and Annotated, not every newer spelling.
from typing import Annotated, Union

from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

MaskNode = Union[vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007


@parameterNodeWrapper
class MeWMParameters:
    """The panel's choices. Empty text means "not stated" or "the default".

    Attributes:
        ct: pre-treatment CT; never modified.
        tumour: segmentation or label map of the tumour.
        tumour_segment: identifier of the segment, or the label value as text.
        liver: segmentation or label map of the liver, optional.
        liver_segment: as ``tumour_segment``.
        case_name: name of the case in results; never a patient's.
        fact_age, fact_child_pugh, ...: clinical facts by their field in :class:`mewm.clinical.ClinicalFacts`;
            numbers as typed, so that a slip is told in words and not rounded away.
        unavailable: identifiers of agents that the institution does not have, separated by commas.
        goal: what the user wants, in words.
        policy: what proposes protocols: ``"guideline"`` or an endpoint's name; never a key.
        keep_exchange: keep what a policy model was sent and answered in the run folder.
        dynamics, assistant, survival: what simulates, what reads the tissue, what predicts the risk; by name.
        search: how protocols are searched.
        beams, drugs, embolics, replicas, drug_horizon, embolic_horizon: B, D, E, T, H_d and H_e of the search.
        seed: seed of the search.
        device: where the models run.
        run: identifier of the run that is reviewed.
        selected: identifiers of the selected protocols, separated by commas, the first is the chosen one.
        fade: opacity of the simulated CT over the pre-treatment CT, percent.
        show_difference: whether the change in HU lies over the simulated CT.
        show_viable, show_necrosis, show_lipiodol: outlines.
        window: name of the window preset; empty to leave the window as it is.
        own_protocol: text of the user's own protocol.
        override_rules: whether the user overrides the rules for it.
    """

    ct: vtkMRMLScalarVolumeNode
    tumour: MaskNode
    tumour_segment: str = ""
    liver: MaskNode
    liver_segment: str = ""
    case_name: str = "case"

    fact_age: str = ""
    fact_sex: str = ""
    fact_child_pugh: str = ""
    fact_albumin_g_dl: str = ""
    fact_bilirubin_mg_dl: str = ""
    fact_creatinine_mg_dl: str = ""
    fact_afp_ng_ml: str = ""
    fact_bclc: str = ""
    fact_ecog: str = ""
    fact_portal_vein_thrombosis: str = ""
    fact_arteriovenous_shunt: str = ""
    fact_tumour_number: str = ""
    fact_tumour_burden_percent: str = ""
    fact_ascites: str = ""
    fact_allergies: str = ""
    fact_encephalopathy: bool = False
    fact_jaundice: bool = False
    fact_hepatorenal_syndrome: bool = False
    fact_extrahepatic_spread: bool = False
    fact_bile_duct_obstruction: bool = False
    fact_untreated_varices: bool = False

    unavailable: str = ""
    goal: str = ""
    policy: str = "guideline"
    keep_exchange: bool = False

    dynamics: str = "mechanistic"
    assistant: str = "intensity"
    survival: str = "cox"
    search: str = "fast"
    beams: Annotated[int, WithinRange(1, 50)] = 5
    drugs: Annotated[int, WithinRange(1, 30)] = 10
    embolics: Annotated[int, WithinRange(1, 20)] = 5
    replicas: Annotated[int, WithinRange(1, 100)] = 5
    drug_horizon: Annotated[int, WithinRange(1, 4)] = 2
    embolic_horizon: Annotated[int, WithinRange(1, 4)] = 2
    seed: Annotated[int, WithinRange(0, 2147483647)] = 0
    device: str = "auto"

    run: str = ""
    selected: str = ""
    fade: Annotated[int, WithinRange(0, 100)] = 100
    show_difference: bool = False
    show_viable: bool = True
    show_necrosis: bool = True
    show_lipiodol: bool = True
    window: str = ""
    own_protocol: str = ""
    override_rules: bool = False
