"""The words of TACE reports beyond those of typed protocols (:mod:`mewm.actions.lexicon`)."""

from __future__ import annotations

from mewm.actions.lexicon import CARRIERS as TYPED_CARRIERS
from mewm.actions.lexicon import PLAIN_WORDS


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(",") if name.strip())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names and abbreviations that mean one agent in a report of embolization, but are too short or loose for a typed
# protocol.
_ALSO_CALLED = {
    "lipiodol": (
        "lip, lpd, lipi, lipo, UFLP, luf, oil, super-liquefied lipiodol, iodine oil, iodised poppyseed oil, "
        "iodized poppyseed oil, super-liquid iodized oil, ultra-liquid iodized oil, ultrafluid iodized oil, "
        "ultrafluid lipiodol, ultra fluid lipiodol, super-liquid lipiodol, super liquid lipiodol"
    ),
    "gelatin_sponge": (
        "gs, gf, sponge, gelatin, gelatine, gel foam, gelfoam, gelatin sponges, gelatine sponges, gelatin pledgets, "
        "gelatine pledgets, gelatin foam, gelita, gelaspon, curaspon, gelatin sponge strips, gelatin sponge "
        "pledgets, gelatin sponge cubes"
    ),
    "lobaplatin": "loba, lobap",
    "oxaliplatin": "oxali, oxal",
    "raltitrexed": "raltitrex, ralti, rtx",
    "epirubicin": "epirub, epiru, epidox, farmorubicine",
    "doxorubicin": "adr, doxorubicine, adria, adriablastin, adriablastina, adriblastin, doxorub",
    "cisplatin": "cis platin, cisplat, cis-ddp, cisplatine, IA-call",
    "mitomycin": "mito, mitomycine, mito-c, mito c",
    "pirarubicin": "theprubicin, pirarubicine",
    "hydroxycamptothecin": "hydroxy camptothecin, hydroxycamptothecine",
    "pva": (
        "contour particles, contour microspheres, contour se, contour pva, pva foam particles, ivalon "
        "particles, bearing nspva"
    ),
    "nbca": "glubran2, medical glue, tissue glue, n-butylcyanoacrylate, nbca lipiodol glue",
    "absolute_alcohol": "absolute ethylalcohol, 100% ethanol, dehydrated ethyl alcohol",
    "doxorubicin_eluting_beads": (
        "dc bead m1, dc beadm1, dc beads m1, lc bead lumi, lc beads lumi, dc bead lumi, lc bead m1, drug eluting "
        "microsphere, drug loaded beads, drug-loaded microspheres, doxorubicin-loaded microspheres"
    ),
}
ABBREVIATIONS = {name: agent for agent, names in _ALSO_CALLED.items() for name in _names(names)}
# Names of no particular bead; a named one takes their place.
GENERIC_BEADS = frozenset(
    _names(
        "deb, debs, drug eluting bead, drug eluting beads, drug eluting microsphere, drug eluting microspheres, "
        "drug loaded beads, drug loaded microspheres"
    )
)
# Agents of TACE and intra-arterial therapy that the action base does not hold.
FOREIGN = _names(
    """
    5-fu, 5fu, 5-fluorouracil, fluorouracil, fudr, floxuridine, carboplatin, miriplatin, irinotecan, cpt-11,
    topotecan, gemcitabine, capecitabine, tegafur, methotrexate, mtx, paclitaxel, docetaxel, vinorelbine,
    vincristine, cyclophosphamide, ifosfamide, melphalan, daunorubicin, aclarubicin, amrubicin, esorubicin,
    carubicin, zorubicin, mitoxantrone, bleomycin, pingyangmycin, dactinomycin, etoposide, vp-16,
    streptozotocin, dacarbazine, temozolomide, fotemustine, zinostatin stimalamer, smancs, styrene maleic acid
    neocarzinostatin, arsenic trioxide, as2o3, cantharidin, kanglaite, cinobufacini, elemene, norcantharidin,
    bevacizumab, camrelizumab, sintilimab, pembrolizumab, nivolumab, atezolizumab, durvalumab, tremelimumab,
    ipilimumab, tislelizumab, toripalimab, endostar, endostatin, recombinant human endostatin, h101, recombinant
    human adenovirus, sorafenib, lenvatinib, regorafenib, apatinib, donafenib, cabozantinib, ramucirumab,
    interferon, iodine-131, i-131, 131i-lipiodol, licartin, y-90, yttrium-90, therasphere, sir-spheres,
    sirspheres, holmium-166, quiremspheres, onyx, coil, coils, microcoil, microcoils, platinum coils, vascular
    plug, amplatzer plug, embogold, embocept, embocept s, spherex, degradable starch microspheres, starch
    microspheres, dsm, hydropearl, ethiblock, ethibloc, sodium tetradecyl sulfate, polidocanol, autologous clot,
    thrombin, fibrin glue, debiri, embocube, lc bead irinotecan
    """
)
# Beads other than those of the action base.
FOREIGN_BEADS = _names(
    """
    embozene, hepasphere, hepaspheres, quadrasphere, quadraspheres, callisphere, callispheres, lifepearl, life pearl,
    embozene tandem, tandem microspheres, tandem beads, embozene tandem microspheres, oncozene, oncozene
    microspheres, hepasphere microspheres, callispheres beads, callispheres microspheres, lifepearl microspheres
    """
)
# Given beside the treatment: no action, but they take their own amounts.
SUPPORTIVE = _names(
    """
    air, aspirin, insulin, metamizole, novalgin, diclofenac, oxycodone, hydromorphone, piritramide, alfentanil,
    diazepam, lorazepam, haloperidol, dormicum, oramorph, augmentin, zosyn, tazocin, cefotaxime, meropenem, gtn,
    nimodipine, nifedipine, phentolamine, tolazoline, propranolol, carvedilol, spironolactone, torasemide,
    lactulose, rifaximin, ursodiol, entecavir, tenofovir, vitamin k, tranexamic acid, ranitidine, aprepitant,
    promethazine, glucagon, buscopan, albumin, potassium chloride, n-acetylcysteine, acetylcysteine,
    emend, kevatril, beloc, metoprolol, atropin, sulperazon, sulperazone, novamin, clexane, tirofiban, pantop,
    pantocid, emeset, perinorm, avil, phenergan, efcorlin, rantac, zantac, monocef, taxim, magnex, dexona,
    decadron, fortecortin, solu-medrol, solu-cortef, lasix, udiliv, toradol, dilaudid, ativan, reglan,
    compazine, cipro, flagyl, rocephin, tylenol, perfalgan, dipidolor, vomex, tavegil, fenistil, clindamycin,
    gelofusine,
    pentazocine, buprenorphine, hydroxyzine, sodium thiosulfate, sodium bicarbonate, mannitol, furosemide,
    midazolam, versed, fentanyl, sufentanil, remifentanil, propofol, ketamine, pethidine, meperidine, morphine,
    tramadol, dezocine, parecoxib, flurbiprofen, lidocaine, lignocaine, xylocaine, bupivacaine, ropivacaine,
    dexamethasone, methylprednisolone, prednisolone, hydrocortisone, ondansetron, zofran, granisetron,
    tropisetron, palonosetron, azasetron, metoclopramide, heparin, protamine, cefazolin, ancef, ceftriaxone,
    cefoperazone, cefuroxime, ampicillin, ampicillin-sulbactam, unasyn, amoxicillin, metronidazole,
    ciprofloxacin, levofloxacin, piperacillin, gentamicin, vancomycin, diphenhydramine, benadryl, famotidine,
    omeprazole, pantoprazole, esomeprazole, ketorolac, paracetamol, acetaminophen, ibuprofen, papaverine,
    nitroglycerin, glyceryl trinitrate, prostaglandin e1, alprostadil, verapamil, atropine, adrenaline,
    epinephrine, norepinephrine, octreotide, oxygen, iohexol, iopamidol, iodixanol, iopromide, ioversol,
    iomeprol, iobitridol, omnipaque, iopamiro, iopamiron, hexabrix, conray, imeron, niopam, isovue, ultravist,
    visipaque, optiray, iomeron, xenetix, oxilan,
    leucovorin, cf, lv, calcium folinate, folinic acid, levoleucovorin, mesna, glutathione, thymosin, magnesium
    isoglycyrrhizinate, angiotensin ii, vasopressin, carbon dioxide, co2, contrast, contrast agent, contrast
    media, contrast medium, contrast material, non-ionic contrast, tc-99m maa, maa
    """
)
_NOT_CARRIERS = frozenset(name for names in SUPPORTIVE for name in names.split()) | {"blood"}
CARRIERS = (TYPED_CARRIERS - _NOT_CARRIERS) | _words(
    "admixture aliquot aliquots ns nss gns d5w bile cocktail distilled effluent emulsions injectate nacl product urine "
    "volume"
)
MIXED = _words(
    """
    admixture cocktail emulsion emulsions mixture mixtures slurry solution suspension suspensions
    """
)
# Words for particles of no stated make; with a size or amount they are reported as an unknown agent.
PARTICLES = _words(
    """
    bead beads microparticles microsphere microspheres particle particles particulate particulates sphere
    spheres
    """
)
NUMBER_WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "seventyfive": 75,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
}
# An amount behind one of these is a limit, not a dose.
LIMITS = _words("max maximum maximal limit limited recommended usual allowed ceiling cumulative lifetime")
# An amount before one of these was not given.
LEFT_OVER = _words("wasted discarded unused leftover spilled")
TOTALS = _words("total altogether overall")
# Endings by which a drug or bead is known without a dose.
DRUG_ENDINGS = (
    "platin",
    "rubicin",
    "mycin",
    "mycine",
    "limab",
    "lizumab",
    "cizumab",
    "rafenib",
    "tinib",
    "fenib",
    "taxel",
    "trexed",
    "tecan",
    "citabine",
    "uracil",
    "trexate",
    "phosphamide",
    "fosfamide",
    "spheres",
    "sphere",
    "xantrone",
    "plastin",
)
# Words around an agent that is given.
GIVING = _words(
    """
    added administered administering administration applied chemoembolisation chemoembolization delivered
    delivery diluted dispensed dissolved embolisation embolised embolization embolized embolizing employed
    emulsified gave given infuse infused infusing infusion inject injected injecting injection instillation
    instilled introduced loaded mixed mixing perfused perfusion prepared pushed received supplemented suspended
    use used using utilised utilized
    """
)
# Further words that no agent is called by.
_REPORT_PLAIN = _words(
    """
    abandon abandoned aberrant able abort aborted absence absent access accessory according accumulated achieve
    achieved achieving across addition adjusted adrenal advanced afp afternoon age ago albumin alcoholic alicon
    aliquot all allergic allergies allergy allowed alone along alt alternatives although among amounting amp
    amps anaesthesia anesthesia aneurysm aneurysms angiogram angiograms angiographic angiographically angioseal
    answer antegrade anterior any ap apf appear appeared appears apr april aps aqueous area areas around
    arterially arterio arteriogram arteriograms arteriography arterioportal arteriovenous ascites assistant ast
    atrium attempt attempted attending aug august av avf axis balloon basically basis bayer bclc beam because
    beijing benefits between beyond bile biliary bilirubin bilobar biocompatibles bland block blockage blocked
    blush body bolus boston both bottle bottles bowel bradycardia brand bsa btace btg c calculated calibrated
    can cannulated capillary capsular carcinoma case catheterisation catheterised catheterization catheterized
    catheters caudate cava cbct cc ceased central cessation cha changan change changed changes check chemo
    chemolipiodolization chemosaturation chemotherapeutics child china cirrhosis class clinical closed closing
    closure cm co coaxial cobra coil coiled collateral collaterals combination combining common compact company
    comparison complete completed completely completion complication complications compression conclusion
    concurrently condition cone confirmed confirms connector consent consultant continue continuous continuously
    contour control cook cordis corp corporation could coverage covered covering covers creatinine ct ctace cube
    cubes current currently cutoff cystic date deb debtace dec december decrease decreased decreasing delayed
    dem demonstrated demonstrates demonstrating dense density department deposits despite devascularisation
    devascularised devascularization devascularized diameter diameters did different dimensional diminish
    diminished disappear disappearing disappears discharge discharged discontinued dissected dissection do
    doctor does doing dome done dosage down dr draped drip duct ducts due duodenum dynact earlier echelon ecog
    effect effective effectively effects efficacy eisai either eliminated elimination eluting embolics embolism
    emulsify emulsifying emulsions encephalopathy end endpoint engaged enhancement enhancing entire entirely
    equal equals equivalent essentially eventually every evidence evident exam examination excellent exclusively
    expiry explained extrahepatic extravasation fail failed failure faint fainter fair fashion fast feb february
    fed feeder feeders fellow female femoral fever few fifth final finding findings fistulae fistulas fistulous
    flow flows fluide fluoroscopically fluoroscopy follow followup fourth fr france french friday g gallbladder
    gastric gastroduodenal gda generic germany get getting gmbh gone good got grade guerbet guide guidewire gy h
    haemorrhage haemostasis hai haic hainan half halt halted hangzhou having hbv hcc hcl hcv he heart height
    held hemorrhage hemostasis hence hengjia hepatitis hepatocellular hepatoma her here high him his
    history hold hospira hospital hour hours however hvtt hydrate hydrochloride hypertension hypervascular
    hypotension hypovascular i id identified ignore image images imaging immediate impossible impregnated
    impression inc inch incomplete incompletely increase increased increasing indication indwelling inferior
    information informed infusions initially injections inr instruction instructions intensity intercostal
    internal international interrupted interruption interventional intra intraarterial intravenous intravenously
    iodine italy ivc jan january japan jiangsu jul july jun june kaken kayaku keep keeping kept kg kidney known
    halved doubled lowered adjusted abundant
    korea kv trial registry blank bland unloaded domestic imported ordinary calibrated spherical nonspherical
    laboratoire lake lakes largely last late lateral least leave leaves left less lessened let lha
    lighter limit limited line lines lipa lipiodolized liquid loading lobar lobes local locoregional loss lost
    lot low lower ltd lung lungs lyophilised lyophilized ma made make makes making male malignancy mammary man
    manual manufacturer many mar march margin marked markedly mass masses max maximum may mcg medial medication
    medications medicine medicines medium merit metastases metastasis mg mgy mha micron microns micropuncture
    might mild mildly min minimum mins minus mixture ml mm moderately monday monitored monitoring monohydrate
    month months more morning most mr mri mrn much must name nanjing nausea near necrosis necrotic neither
    neoplasm new night nil nippon nodule nodules none nor normal noted noting nov novartis november now number
    nurse obtained obvious obviously occlusion oct october oil oily old omental once open opening operator other
    others our out outcome outcomes output over owing pack pain parasitised parenchymal part parts passed
    patency patent patient's patients performance peripheral persisted persistent persisting persists pet pfizer
    pha pharma pharmaceutical pharmaceuticals phase phases phrenic physician piece pieces placed plan planned
    platelets please pledget pledgets point poor port portal portion portography possible post posterior
    postprocedure powder granule granules grain grains fragment fragments flake flakes shred shreds plug plugs
    portions fraction fractions divided dilution dilutions half halves wasted discarded unused leftover
    spilled drawn thrown split stock shortage supplier supply shelf reserve pharmacy
    powdered pre premixed prepped present pressure previous prior procedure progreat prompt
    proper protect protected protection protective pruning pseudoaneurysm pugh pulmonary pump pumped puncture
    push pvt pvtt qilu quantity quarter ra radial radiologist radiology rapid rate ratio re reach reached
    reaching recanalised recanalized recent recently recommend recommendation recommended reconstituted reduces
    reduction reexamination regimen region regional remaining remains renal rendered renegade repeat repeated
    replaced report reservoir response result results resume retrograde revealed revealing reveals review rh rha
    ria ripa risks roche run runs rupture ruptured s safety said sanofi satisfied saturation saturday say says
    scan scanning scans scheduled scientific score sealed sec seconds sectional sectoral sedation seen segmental
    segmentectomy seldinger selected selectively sep separately september sequence sequentially series sessions
    several sex shall shandong shanghai she sheath shenzhen should show shown shunted shunts side sided signs
    similar simmons simultaneously since site sites size sized sizes slightly slow sluggish sma soaked solely
    solvent some somewhat spasm spleen splenic stable staff stage stagnation stain stains standard start stasis
    state stated status stent sterile stomach stop stopcock stopped stopping strip strips study subcutaneous
    subcutaneously subsegmental subselective subsequent substantial substantially subtotal success successful
    successfully such sulfate sunday super superior superselection superselectively supplemental supplementary
    supplied supplies supply supplying surface surgeon syringe syringes system tacp tae tai take taken takes
    taking technically technique terminated termination terumo teva therapy there thereafter therefore third
    thoroughly though thrombi thrombosed thrombosis throughout thursday thus tianjin till time timeout tip today
    together tolerance tolerated tomorrow took torpedo torpedoes totally toward towards transarterial
    transcatheter treat treated treatment treatments trihydrate truncated trunk tube tuesday tumoral tumorous
    tumoural twice type ultimately ultra ultrafluid ultraliquid ultraselective ultrasound um unable unaltered
    unchanged uneventful unit units unknown unsatisfactory up upper us usa user usual vanish vanished varices
    vascular vascularised vascularity vasospasm viable vial vials view vigorous vigorously virus visualisation
    visualised visualization visualized vital volume volumes vomiting water way we weakened weaker wednesday
    weight well what when where while who whole whom whose wide will wire wise within woman would write written
    yashiro year years yesterday you zhejiang zone µg µm
    """
)
# Small words of English and of a report's layout that no agent is called by.
_SMALL_WORDS = _words(
    """
    above against already always am amid away back became become been began begin begun behind being below beside
    besides came cannot come during else enough even ever everything former full fully go goes going how if indeed
    inside itself just later latter like likely little long mainly maybe meanwhile merely moreover need needed
    nevertheless off often onto otherwise overall own perhaps place quite rather really see seem seems so something
    soon still than them thereby too unless unlike upon usually very went whereas wherein whether why yet your

    advice advise advised available axillary blended brachial checked chosen cleaned comment comments deemed detail
    details ended ending exchanged extra felt flushed hand judged material necessary opened packed popliteal quarters
    ready regarded remainder remark remarks required route shaken spared standby starting stirred thought ulnar upsized
    viewed withdrawn

    po cap caps capsule capsules inj suppository syp syrup tab tablet tablets tabs
    """
)
# How often a medicine is taken: no name, and the amount before it is none of the treatment.
# Forms of a drug: no name of their own, part of the name of a drug nobody lists.
FORMS = _words("liposome liposomes liposomal micelle micelles micellar nanoparticle nanoparticles")
OFTEN = _words("bd bds od tds tid bid qd qds qid prn sos hs stat daily nocte mane")
PLAIN = PLAIN_WORDS | _REPORT_PLAIN | GIVING | PARTICLES | _SMALL_WORDS | OFTEN | FORMS
