"""Words and units of angiography reports and typed protocols, for :mod:`mewm.actions.text`."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MASS_MG = {
    **dict.fromkeys(("mg", "mgs", "milligram", "milligrams", "milligramme", "milligrammes"), 1.0),
    **dict.fromkeys(("g", "gm", "gram", "grams", "gramme", "grammes"), 1000.0),
    **dict.fromkeys(("mcg", "µg", "ug", "microgram", "micrograms"), 0.001),
}
VOLUME_ML = {
    **dict.fromkeys(("ml", "mls", "cc", "millilitre", "millilitres", "milliliter", "milliliters"), 1.0),
    **dict.fromkeys(("l", "litre", "litres", "liter", "liters"), 1000.0),
}
SIZE_UM = {
    **dict.fromkeys(("µm", "um", "µ", "micron", "microns"), 1.0),
    **dict.fromkeys(("micrometre", "micrometres", "micrometer", "micrometers"), 1.0),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), 1000.0),
}
# A dose in one of these cannot be turned into mg or ml without facts the text does not give.
FOREIGN_UNITS = _words(
    "iu u unit units mmol µmol umol mol nmol ng pg kg dl cl mbq gbq mci gy meq mg/m2 mg/m² mg/kg ml/kg mg/min "
    "ml/m2 ml/m² g/m2 g/m² iu/m2 drop drops"
)
# Amounts that say nothing about dose: concentrations, rates, pieces.
VAGUE_UNITS = _words(
    "% mg/ml ml/min ml/s mg/l vial vials bottle bottles ampoule ampoules syringe syringes min minutes h hours"
)

SEPARATORS = _words("and plus with by using via followed then combined containing subsequently afterwards & + ,")
MIXTURES = _words("mixture emulsion suspension solution slurry")
CARRIERS = _words(
    "emulsion emulsions solution suspension mixture saline water glucose dextrose contrast medium media iopromide "
    "iohexol iodixanol iopamidol ioversol omnipaque ultravist visipaque iopamiro lidocaine dexamethasone "
    "heparin papaverine nitroglycerin morphine slurry liquid fluid blood"
)
NEGATIONS = frozenset(("no", "without", "not", "never", "avoid", "avoiding", "instead"))
ACTION_WORDS = _words(
    "injected injection infused infusion used embolize embolized embolise embolised embolization embolisation "
    "administered given mixed diluted dissolved perfused performed loaded delivered instilled emulsion"
)
OUTCOME_WORDS = _words(
    "deposition deposited deposit staining stained occluded disappeared disappearance angiography satisfactory "
    "acceptable moderate insufficient observed shunting reflux leak leaked retention retained uptake accumulation "
    "washout visible resolved reduced improvement"
)
# Words after (or, with "of", before) an agent that turn it from something given into something seen.
SEEN_WORDS = _words(
    "deposition deposits deposited retention retained uptake accumulation accumulated staining washout shunting "
    "leak leakage reflux filling"
)
# A clause with one of these is a sentence; without any it is a list of agents.
SENTENCE_WORDS = ACTION_WORDS - {"emulsion", "infusion", "injection"} | _words(
    "was were is are be been has have had showed shows followed created create remained"
)
# Words that no drug is called by.
PLAIN_WORDS = (
    SEPARATORS
    | NEGATIONS
    | ACTION_WORDS
    | OUTCOME_WORDS
    | SENTENCE_WORDS
    | _words(
        "a an the of to in into on at for from through until under after before about approximately approx "
        "appropriate small large amount amounts total dose doses each per additional additionally further another "
        "again finally next first second slowly early pure fine partial partially mostly nearly almost which its "
        "their this that these those it they or but also as only same respective respectively main major slight "
        "significant significantly residual guidance fluoroscopic catheter microcatheter embolic agent agents drug "
        "drugs chemotherapy chemotherapeutic tumor tumors tumour tumours feeding artery arteries arterial vein "
        "venous portal hepatic right left middle lobe liver branch branches segment vessel vessels blood shunt "
        "fistula thrombus cancer aorta abdominal celiac coeliac mesenteric superselective selective tace taec dsa "
        "final target lesion lesions session day days week weeks patient one two three none nan inf infinity "
        "confirming resulting showing goal untreated nothing iv ia"
    )
)
_ORGAN = r"(?:splen|spleen|gastroduodenal|cystic artery|right gastric)"
# Embolization of a vessel that does not feed the tumour; for text in lower case, which is faster.
OTHER_ORGANS = re.compile(
    rf"emboli[sz]\w*\s+(?:of\s+)?(?:the\s+)?(?:\w+\s+){{0,2}}?{_ORGAN}"
    rf"|{_ORGAN}\w*(?:\s+(?:artery|arteries|was|were)){{0,2}}\s+emboli[sz]"
)
