"""A goal that names a patient is refused; clinical sentences pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mewm.errors import InputError
from mewm.policy.identifiers import identifiers_in, require_no_identifiers

NAMED = [
    "Mr. Smith should not get platinum",
    "Avoid cisplatin for Mrs. Kowalska-Nowak",
    "Frau Müller, Child-Pugh A6",
    "Patient John Smith, BCLC B",
    "patient john smith needs a gentle protocol",
    "Patient: Okonkwo, avoid platinum",
    "name: jane doe; prefer gelatin sponge",
    "Doe^Jane, segment VIII",
    "SMITH, John: prefer Lipiodol",
    "Johann Wagner wants fewer drugs",
    "spare the liver of Zhang Wei",
    "Spare the liver, Siobhan Okafor refuses beads",
    "Avoid platinum (Maria had neuropathy)",
    "treat J. Abernathy without cisplatin",
    "Dr. Huber asked for gelatin sponge",
    "姓名:张伟 避免铂类",
    "张先生, Child-Pugh A5",
    "Herr Özdemir: keine Platine",
    "The patient's name is Petrosyan",
    "Smith has severe neuropathy, avoid oxaliplatin",
    "maria gonzalez, 64, no anthracycline",
    "Patient Nguyen Van An, avoid PVA",
    "born 12.03.1956, avoid platinum",
    "DOB 1956-03-12",
    "DOB: 03/12/56",
    "geb. 12.3.1956",
    "date of birth 12 March 1956",
    "born in 1956",
    "last TACE on 12.03.2024",
    "TACE March 12, 2024, then progress",
    "CT of 2024/03/12 shows growth",
    "avoid platinum, 3rd of May 2021",
    "MRN 1234567, avoid PVA",
    "MRN: A-12345",
    "patient ID 884213",
    "Pat.-Nr. 4711-08",
    "case number 20231145",
    "accession 99-1234",
    "HCC in 12345678, avoid platinum",
    "chart no. 55231",
    "ID=HCC_017",
    "CRLM1006123 avoid platinum",
    "SSN 123-45-6789",
    "住院号 884213",
    "call 0049 89 123456 or tel. 089/123456",
    "reach me at +49 89 1234567",
    "case: Wojciechowski",
    "Fr. Meier, ohne Cisplatin",
    "ref: 20231145-2",
    "HCC_004 before treatment",
    "Mme Lefebvre",
    "D.O.B 3/4/60",
    "KIM MINJUN, avoid beads",
    "j.smith@hospital.org",
    "see https://pacs.hospital.org/study/4711",
    "for mueller, hans: spare the liver",
    "schroeder anna, avoid platinum",
    "john.smith avoid platinum",
    "smith_john",
    "Mr Li wants fewer drugs",
    "J.S., 67 y, avoid platinum",
    "patient A. B. refuses beads",
    "zhang wei, avoid platinum",
    "张伟, avoid platinum",
    "Jan van der Meulen",
    "O'Donnell refuses platinum",
    "Tanaka-san prefers one session",
    "TACE on 12th of March",
    "last TACE March 12th",
    "case 0815, avoid platinum",
    "NHS 943 476 5919",
    "943 476 5919 avoid PVA",
    "KH-2023-00017",
    "pathology S23-1234",
    "study 2023/00017",
    "call 555-1234",
    "as in /home/jsmith/ct.nrrd",
    r"see C:\Users\jsmith\ct.nrrd",
]

CLINICAL = [
    "",
    "avoid platinum, prefer gelatin sponge",
    "Avoid platinum. Prefer gelatin sponge!",
    "segment VIII",
    "Segment IVa and Segment VIII, BCLC B",
    "BCLC B, Child-Pugh A6, ECOG 1, ALBI grade 2",
    "Child-Pugh A6 with AFP 121000 ng/ml",
    "AFP > 400000, bilirubin 1.2 mg/dl, platelets 150000",
    "Platelets 150000/µl, viral load 2000000 copies/ml",
    "Lipiodol 10 ml, Lobaplatin 30 mg, Gelatin Sponge 350 µm",
    "Doxorubicin-eluting Beads 100-300 µm, 75 mg",
    "Epirubicin 50 mg/m2 over 5-10 min",
    "preserve liver function, the patient is frail",
    "The patient refuses drug-eluting beads",
    "Patient with cirrhosis, avoid nephrotoxic drugs",
    "patient has severe arteriovenous shunt",
    "Patient is 72 years old, male, diabetic",
    "A 92-year-old woman with hepatitis C since 1998",
    "64M, HBV, tumour 5.2 x 4.8 x 6.1 cm",
    "Downstage to Milan criteria before transplantation",
    "within the Milan criteria; beyond UCSF",
    "Barcelona Clinic Liver Cancer stage B",
    "as in Llovet 2002 and Lo et al.",
    "Kaplan-Meier survival, Cox regression, Bland-Altman plot",
    "Hong Kong Liver Cancer stage IIb",
    "Budd-Chiari syndrome, main portal vein patent",
    "Use Lipiodol with Epirubicin, then Embosphere 300-500 µm",
    "Prefer Drug-eluting Beads over Conventional TACE",
    "AVOID CISPLATIN, PREFER OXALIPLATIN",
    "Avoid Platinum, Prefer Gelatin Sponge, Spare Remaining Liver",
    "Maximise tumour necrosis with minimal toxicity",
    "Superselective TACE of segment 7 via the right inferior phrenic artery",
    "Dr asked for less toxicity",
    "HCC 3/5 nodules, 1/3 responded, 30/20/10 mg",
    "Okuda stage II, CLIP score 2, MELD 9",
    "creatinine 1.6 mg/dl, GFR 45 ml/min/1.73 m2",
    "Repeat TACE after 6-8 weeks; last one in March 2024",
    "ratio 1.5.2, version 2.0.1",
    "NCT01234567 protocol without sorafenib",
    "PMID 26765068",
    "mRECIST PR after TACE in 2023",
    "LI-RADS 5 in segment IV, 45 HU in the arterial phase",
    "Bridge to transplantation, avoid permanent occlusion",
    "Previous reaction to iodinated contrast; allergy to cisplatin",
    "tumor thrombus in the right portal branch (Vp2)",
    "Give as little chemotherapy as possible",
    "one session only, low dose, long survival",
    "Young man who wants to keep fertility",
    "It may be best to mark the feeder with a microcatheter",
    "Sorafenib failed, atezolizumab plus bevacizumab refused",
    "Raltitrexed or THP, HCPT not available",
    "please minimise pain and post-embolisation syndrome",
    "prioritise complete response over toxicity",
    "Anthracycline is contraindicated: LVEF 40 %, NYHA III",
    "Type 2 diabetes on Metformin; Warfarin stopped 5 days ago",
    "Hepatic Artery Variant Michels III",
    "The Seldinger technique, Simmons catheter, Progreat 2.7 F",
    "Klatskin tumour excluded, Couinaud segments 5 and 6",
    "Wilson disease, Crohn's disease, Raynaud phenomenon",
    "Patient is a Jehovah's Witness, Karnofsky 80, Charlson index 4",
    "Patients Undergoing Dialysis",
    "Tumour abuts the Glisson capsule; Metavir F4, Ishak score 5",
    "PIVKA-II 1200000 mAU/ml, HBV DNA 12000000 IU/ml",
    "2024 EASL guideline, LEAP-012 and EMERALD-1 trials",
    "Patient Prefers Oral Therapy",
    "避免铂类药物, 保护肝功能",
    "患者肝功能良好",
    "Platin vermeiden, Leberfunktion erhalten",
    "PVA 500-1000 µm, then 300-500 µm; 10-15 ml Lipiodol",
    "may 5 ml be enough? It may 2 weeks later be repeated",
    "MR liver and MR angiography show two feeders",
    "HBV DNA 2000000 IU/ml, CA19-9 1200 U/ml, ratio 2024/2023",
    "von Willebrand disease",
    "周围胆管扩张, 高危, 金属支架",
    "200 300 4000 µm beads in this order",
    "wang and chen are no drugs",
]


@pytest.mark.parametrize("text", NAMED)
def test_what_names_a_patient_is_found(text):
    found = identifiers_in(text)
    assert found
    assert all(piece.text and piece.kind.startswith(("a ", "an ")) for piece in found)


@pytest.mark.parametrize("text", CLINICAL)
def test_clinical_language_passes(text):
    assert identifiers_in(text) == ()


def test_the_refusal_shows_the_finding():
    with pytest.raises(InputError) as caught:
        require_no_identifiers("avoid platinum for Mr. Smith, born 12.03.1956", "goal")
    told = str(caught.value)
    assert "'Mr. Smith' (a name)" in told and "12.03.1956" in told and "Nothing was sent." in told
    require_no_identifiers("avoid platinum", "goal")


def test_hidden_spellings_are_found():
    assert identifiers_in("Ｍｒ． Ｓｍｉｔｈ")
    assert identifiers_in("born\u00a012.03.1956")
    assert identifiers_in("MRN\n1234567")
    assert identifiers_in("Mr. S\u200bmith")


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    identifiers_in(text)


def test_real_descriptions_of_treatments_pass(real_data):
    lines = (real_data / "tace_actions" / "actions.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 100
    assert [found for line in lines if (found := identifiers_in(line))] == []
