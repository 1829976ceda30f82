"""Every usual way to say what angiography showed, of every usual subject, comes to its attenuation level."""

import pytest

from mewm.reports.extract import extract

SUBJECTS = (
    "tumor staining",
    "the tumour blush",
    "the tumor-feeding arteries",
    "tumor vessels",
    "the blood supply of the tumor",
    "tumor vascularity",
    "the abnormal vessels",
    "the feeders",
    "the arterial blood flow",
)
NOUNS = (
    "tumor staining",
    "the tumor-feeding arteries",
    "tumor vessels",
    "the blood supply of the tumor",
    "tumor blush",
)
SAID = {
    4: """disappeared, completely disappeared, had disappeared completely, vanished, was eliminated, was absent
        has gone, was no longer visible, was not seen any more, could no longer be seen, was abolished
        was not visualized, resolved completely, was totally lost, was completely interrupted, was not detected""",
    3: """mostly disappeared, nearly disappeared, almost completely disappeared, basically disappeared, was almost gone
        largely disappeared, disappeared for the most part, was significantly reduced, was markedly decreased
        was obviously reduced, greatly diminished, was reduced significantly, decreased markedly, was barely seen
        was remarkably weakened, was substantially lessened, was reduced by 90%, was reduced by more than 80%
        was nearly absent, was subtotally eliminated, was hardly visible, was dramatically reduced, almost vanished
        was reduced to less than 10%, was improved significantly, was much less than before""",
    2: """was reduced, decreased, was partially reduced, was slightly reduced, was moderately reduced, improved
        weakened, partially disappeared, was somewhat reduced, was reduced by 50%, was less than before
        was reduced in part, was reduced compared with before, was lighter than before, was reduced to half
        was mildly decreased, did not completely disappear, was incompletely eliminated, was reduced to some extent
        was reduced compared with before treatment""",
    1: """was unchanged, did not change, showed no significant change, persisted, was still present, still existed
        was the same as before, was not reduced, was not significantly reduced, remained unchanged, showed no change
        did not decrease, showed no obvious reduction, was not affected, was similar to before, was still visible
        remained, showed no improvement, had not changed, was as before""",
}
NAMED = {
    4: """complete disappearance of {}, complete occlusion of {}, no {}, no residual {}, no obvious {}, {}: disappeared
        {}: none, {} (-), absence of {}, complete loss of {}, no evidence of {}, without {}""",
    3: """near-complete disappearance of {}, significant reduction in {}, marked decrease of {}, almost no {}
        {}: mostly disappeared, most of {} disappeared, the majority of {} had gone, subtotal occlusion of {}
        only minimal {} remained, {} disappeared by 95%, {} disappeared except for a small area""",
    2: """partial disappearance of {}, slight reduction in {}, partial occlusion of {}, a decrease of {}, residual {}
        part of {} remained, {} partly remained, {}: reduced, {}: partially disappeared, {} still partially visible
        incomplete occlusion of {}, about half of {} disappeared, {} remained in part""",
    1: """no reduction of {}, no change in {}, no significant change in {}, persistence of {}, persistent {}
        {}: unchanged, no improvement of {}, unchanged {}, {} still present, failure to occlude {}""",
}


def _phrases(table):
    rows = [(level, part) for level, text in table.items() for line in text.split("\n") for part in line.split(",")]
    return [pytest.param(phrase.strip(), level, id=phrase.strip()) for level, phrase in rows]


@pytest.mark.parametrize(("predicate", "level"), _phrases(SAID))
def test_what_is_said_of_a_subject(predicate, level):
    for subject in SUBJECTS:
        for text in (
            "Lipiodol 10 ml; {} {} on the final angiography.",
            "After embolization with 5 ml Lipiodol, {} {}.",
        ):
            assert extract(text.format(subject, predicate)).level == level, (subject, predicate)


@pytest.mark.parametrize(("phrase", "level"), _phrases(NAMED))
def test_what_is_named(phrase, level):
    for noun in NOUNS:
        for text in ("Lipiodol 10 ml; {} on the final angiography.", "Lipiodol 5 ml. Final angiography showed {}."):
            assert extract(text.format(phrase.format(noun))).level == level, (noun, phrase)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("The blush disappeared in S2, not in S8.", 2),
        ("Tumor staining in segment 7: 90% disappeared. Segment 3: 50% disappeared.", 2),
        ("Feeding artery of S5 was occluded; feeding artery of S7 was not occluded.", 2),
        ("Two branches were treated: one was occluded, the other remained open.", 2),
        ("In segment II total devascularisation, in segment VI almost total.", 3),
        ("All feeders were occluded, except one tiny branch from the left gastric artery.", 3),
        ("The artery was occluded; a small patch of tumor staining was still visible.", 3),
        ("Tumor staining was unchanged; after gelatin sponge it disappeared.", 4),
        ("No tumor staining before treatment. Lipiodol 5 ml.", None),
        ("The staining was not seen clearly before and after treatment.", None),
        ("The left hepatic artery remained patent; tumor blush gone.", 4),
        ("Tumor staining was unchanged; additional PVA; feeding arteries were occluded on the final angiography.", 4),
        ("Left hepatic angiography showed no tumor blush. Right hepatic artery: lipiodol 10 ml.", None),
        ("The celiac trunk showed a complete occlusion of the celiac trunk by the ligament. Lipiodol 5 ml.", None),
        ("Angiography revealed occlusion of the celiac trunk. Neither Lipiodol nor beads were administered.", None),
        ("Diagnostic DSA only. No hypervascular tumor was seen. Embolization was not performed.", None),
        ("Lesion A: no enhancement on the final angiogram. Lesion B: left untreated. Lipiodol 5 ml.", 4),
        ("Lipiodol 5 ml slowly injected into segment 2/3 branches.", None),
        ("Left lesion without blush, right lesion with slight rest. Lipiodol 5 ml.", 3),
        ("Segment 2: blush extinguished. Segment 4: weak residual perfusion.", 3),
        ("Segment 2: no blush. Segment 4: faint blush.", 2),
        ("Blush gone from the RHA side, faintly left from the phrenic.", 3),
        ("Nodules in S4 and S6 are no longer perfused, S8 nearly so.", 3),
        ("Lesion in S5 devascularised, lesion in S7 with partial effect.", 2),
        ("Tumor perfusion extinguished in segment 5; in segment 8 it is unchanged.", 2),
        ("Flow ceased in three of the four feeders; the fourth stays open.", 2),
        ("Segment 4: 5 ml Lipiodol. Near stasis obtained.\nSegment 6: 3 ml Lipiodol. Stasis obtained.", 3),
        ("Branch A: 5 ml Lipiodol to near stasis. Branch B: 3 ml to stasis. Final series: no tumor stain.", 4),
        ("FINDINGS: Cone beam CT shows two feeders. Lipiodol 5 ml. Completion angiography: no tumor enhancement.", 4),
    ],
)
def test_several_places_and_looks(text, level):
    assert extract(text).level == level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Nothing of the staining remained.", 4),
        ("There was nothing left to see of the tumor blush.", 4),
        ("The final series shows no tumor contrast any more.", 4),
        ("The tumour takes up no contrast any more.", 4),
        ("Hardly any tumour contrast remained.", 3),
        ("A little tumor staining left at the margin, the rest gone.", 3),
        ("Minor staining left in segment 4. Segment 8 fully devascularized.", 3),
        ("Only a hint of staining remains.", 3),
        ("The blush is gone save a small rest.", 3),
        ("The blush can only just be made out.", 3),
        ("The tumour is devascularised to 80 per cent.", 3),
        ("Tumour still fed by a small collateral (not accessible), about 75 % of the tumour devascularised.", 3),
        ("About three quarters of the lesion without contrast.", 3),
        ("About 60 % of the lesion was devascularised.", 2),
        ("At the end the mass was partly stained.", 2),
        ("Final run: nothing but a faint residue of contrast along the capsule.", 3),
        ("Only a weak residue of tumor blush.", 3),
        ("Completion angiogram: faint residual blush.", 2),
        ("Blush intense at first, mere traces at the end.", 3),
        ("Blush marked pre, trace only post.", 3),
        ("Blush +++ before; hint only after.", 3),
        ("Marked blush before embolization, traces of blush after.", 3),
        ("At the end just a whisper of blush at the dome.", 3),
        ("Tumour not stained any more.", 4),
        ("Non opacification of the tumor.", 4),
        ("Nonfilling of tumor vessels on the last run.", 4),
        ("Feeders: closed. Rest of the liver well perfused.", 4),
        ("The nodule stains as in the beginning.", 1),
        ("On control DSA the tumor stains just as it did at the start.", 1),
    ],
)
def test_what_is_left(text, level):
    assert extract(f"Lipiodol 5 ml. {text}").level == level
