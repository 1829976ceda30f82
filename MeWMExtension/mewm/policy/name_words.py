"""Words that tell a name from clinical language. All in lower case and without accents."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GIVEN_NAMES = _words("""
aaron abdul abdullah abigail ahmad ahmed aisha akira alan albert alejandro alessandro alex alexander alexandra ali
alice alicia alison amanda amelia amina amir amy ana anastasia andre andrea andreas andrew angela angelika anita
anja anke ann anna anne annette anthony antoine anton antonio arjun arnold arthur ashley astrid audrey barbara
beatrice beatriz benjamin bernard bernd bernhard beth bettina birgit bjorn bob boris brandon brenda brian brigitte
bruno camille carl carla carlos carmen carol caroline catherine cecilia charles charlie chiara chloe chris
christian christiane christina christine christoph christopher cindy claire clara claudia claus colin craig
cristina cynthia daniel daniela danielle david deborah deepak denis dennis diana diane diego dieter dietmar
dimitri dirk dmitri dolores dominik dominique don donald donna doris dorothea dorothy douglas edith eduard edward
eileen elena eleonora elias elisabeth elizabeth ellen emil emily emma eric erich erik erika ernst esther ethan
eugene eva evelyn fabian fatima federico felix fernando florian francesca francesco francois frank franz fred
frederic frederick friedrich fritz gabriel gabriele gary georg george gerald gerd gerhard gertrud gianni giovanni
gisela giulia giuseppe gloria gordon greg gregor gregory guillaume gunter gustav hannah hannelore hans harald
harold harry hassan heather heidi heike heinrich heinz helen helena helga helmut henri henry herbert hermann
hiroshi horst hugo ian ibrahim igor ilse inge ingrid irene irina isabel isabella ivan jack jackie jacob jacqueline
jacques jakob james jamie jan jana jane janet janice jason javier jean jeff jeffrey jennifer jens jeremy jerry
jessica jim joachim joan joanna joe joel johan johann johanna johannes john johnny jonas jonathan jorge jose josef
joseph joshua joyce juan juanita judith judy julia julian julie jurgen justin karen karin karl karla katarina kate
katharina katherine kathleen kathryn katja kazuo keith kelly kenji kenneth kevin khalid kim klaus konrad kristina
kumar kurt kyle lara larry laura lauren laurent lea lena leo leon leonard leonardo leticia liam linda lisa lorenzo
louise luca lucas lucia lucy luigi luis luisa lukas magdalena mahmoud manfred manuel manuela marcel marco marcus
margaret margarete maria marianne marie marina mario marion mariusz markus marta martha martin martina mary masako
mateo matteo matthew matthias maurice mehmet melanie melissa mia michael michel michelle miguel mike mikhail
mohamed mohammad mohammed monica monika muhammad mustafa nadia nancy naomi natalia natalie nathan nicholas nicola
nicolas nicole nikolai nils nina noah norbert oleg olga oliver olivia omar oscar oskar otto pablo pamela paola
paolo patricia patrick paul paula pedro peter petra philip philipp phillip pierre piotr priya rachel rafael rahul
rainer raj rajesh ralf ralph ramesh raymond rebecca regina reinhard renate ricardo richard rita robert roberto
roger roland rolf ronald rosa rosemarie roswitha rudolf russell ruth ryan sabine samantha samuel sandra sanjay
sara sarah satoshi scott sean sebastian sergei sharon shirley siegfried sigrid silvia simon simone sofia sonja
sophia sophie stefan stefanie stella stephan stephanie stephen steve steven sunil susan susanne suzanne sven
svetlana sylvia takashi tanja tatiana teresa thomas tim timothy tina tobias todd tom tomasz tony tracy ulrich
ulrike ursula uwe valentina valerie vera veronica victor viktor vincent virginia vladimir walter waltraud werner
wilhelm william wolfgang xavier yasmin yolanda yoshiko yuki yuri yusuf yvonne zoe
""")

SURNAMES = _words("""
adams ahmed allen alvarez anderson bailey baker bauer baumann becker bell bennett bernard bianchi braun brooks
brown butler campbell carter castillo chavez chen cheng choi chung clark collins cook cooper cox cruz davis diaz
dubois edwards evans fernandez ferrari fischer fleming flores ford foster franke fuchs garcia gomez gonzalez
graham gray green griffin gupta gutierrez hall hamilton hansen harris harrison hartmann henderson hernandez
herrmann hill hoffman hoffmann howard huang huber hughes hussain ivanov ivanova jackson jansen jenkins jensen
jimenez johansson johnson jones kaiser kaplan kaufmann keller kelly kennedy khan kim klein koch kowalska kowalski
kramer krause krueger kruger lang lange larsen lee lehmann leroy lewis liu long lopez maier marshall martin
martinez mayer mcdonald mehta mendoza meyer miller mitchell moller moore morales moreau moreno morgan morris
muller murphy murray myers nakamura nelson neumann nguyen nielsen novak nowak olsen ortiz owens parker patel perez
perry peters petersen peterson petrov pham phillips popov powell price ramirez ramos reed reyes reynolds ricci
richardson richter rivera roberts robinson rodriguez rogers romano rossi roth ruiz russo sanchez sanders sato
schafer schmid schmidt schmitt schmitz schneider scholz schroder schubert schulz schulze schuster schwarz scott
sharma silva singh smirnov smith sokolov stewart sullivan suzuki takahashi tanaka taylor thompson torres tran
turner vargas vogel wagner walker walter wang ward watanabe watson weber weiss werner white williams wilson
winkler wolf wood wright yamamoto yang young zhang zhao zhou ziegler zimmermann
""")

# Names that are also words of this field, counted as names only beside another name.
NOT_NAMES = _words("""
art bell brooks brown clark cook cooper cox don dose fleming ford foster gray green hall hill kim klein koch lang
lea lee long mark max may milan price reed rose roth sandy virginia ward white will wolf wood young
""")

# What follows an eponym: "Milan criteria", "Martin clip".
ADDRESSED_AS = _words("""
al catheter classification clip criteria criterion curve disease equation et formula grade grading guideline
guidelines index law ligament line lobe maneuver manoeuvre method model needle plot procedure ratio rule sarcoma
scale score scoring sign stage staging syndrome system technique test trial tube
""")

# Pairs of words that look like a person.
CLINICAL_NAMES = frozenset(
    (
        "barcelona clinic",
        "bland altman",
        "budd chiari",
        "child pugh",
        "child turcotte",
        "cox regression",
        "hong kong",
        "kaplan meier",
        "los angeles",
        "monte carlo",
        "new york",
        "saint louis",
        "san francisco",
        "turcotte pugh",
        "von willebrand",
        "young patient",
    )
)

# What goals for a treatment are written in: the field's terms and common English.
CLINICAL_WORDS = _words("""
a aasld abcr abdominal able about above absent absolute access achieve across active acute add adequate adjacent
administer adriamycin adverse afp after against age aged aih aim albi all allergic allergy allow alone along alp
already also alt although always american among amount an anaesthesia and angiographic angiography another
antecedent anterior anticoagulation antiviral any aorta apart apasl apatinib approach appropriate aps apshunt are
area around arsenic art arterial arteries arterioportal arteriovenous artery as ascites asian ask asl aspirin
assess associated ast at atezolizumab atrial atrophy attempt available avf avoid avoided avoiding awaiting bad
balance balloon barcelona base based bclc bead beads because been before beginning being below benefit besides
best better between bevacizumab beyond big bilateral bile biliary bilirubin biloma biopsy bismuth bland bleeding
blood blush bone both branch bridge bridging british but by c cabozantinib cad calcified camrelizumab can
candidate capecitabine capsule cardiac cardiology cardiomyopathy care careful carefully cases caudal caudate cause
caution cbct celiac central centre chemo chemoembolisation chemoembolization chemotherapy chf child china chinese
choice cholangitis choose chronic cirrhosis cirrhotic cirse ckd class classification clear clinic clinical clip
close coagulopathy cobra coeliac coil coils collateral collaterals colon colorectal combination combine combined
comorbidities compensated complete complication complications concern concerns condition confirmed congestive
conservative consider contained continue contour contra contraindicated contrast control conventional copd core
corona coronary cost couinaud creatinine criteria crp cryptogenic csco ct cta ctace curative cure current cyst
daily damage day days deb debtace decline decompensated decompensation decrease deep deficit degree delay delayed
deposit deposition despite dexamethasone diabetes diabetic dialysis diameter diffuse dili diminish direct disease
distal distant do doctor does dominant done dosage dose doses double down downsize downstage downstaging drug
drugs dsa duct ducts due during durvalumab dvt each early eas easl ebv ecog effect effective effusion egfr eight
either elderly eluting embolic embolics embolisation embolise embolization embolize embosphere emulsion end
endpoint english enhance enhanced enhancement enhancing enough entire esmo esophageal especially esrd european
even every exclude excluded exophytic expected experience extra extrahepatic failed failure family far fatigue fdg
fed feeder feeders feeding female femoral few fewer fibrosis fifth final fine first five fixed floxuridine fluid
fluorouracil focal focus folinic follow following for formulary four fourth fraction frail from full function
future gastric gastroduodenal gelfoam gemcitabine general generally gentle gently germany get gfr ggt give given
gives glue goal good grade great greater growth guideline guidelines had half halve hap has have having hbv hcc
hcv heart heparin hepasphere hepatic hepatitis hepatocellular hepatologist hepatology hepatorenal her here hev
high higher highest highly his history hiv hospital how however hu hvtt hypertension hypervascular hypo
hypovascular if ii iii imaging impaired important improve in inadequate include including increase increased
infection inferior infiltrative inform injection inoperable inr inside insufficiency insufficient intend intended
intent intention interval intervention interventional into intolerance intra intrahepatic invasion involved
iodinated iodine irinotecan is ischaemia ischemia it italy its iv ivalon ivc ivct japan japanese jis just keep
kidney kidneys kind known korea korean lab laboratory laparoscopic large larger largest last late later lateral
least leave leaving left lenvatinib lesion lesions less lesser level li light like likely limit limited limits
line lipiodol lirads list little liver lobar lobe lobes local locoregional long longer look loss low lower lowest
lr lung lymph main maintain major make makuuchi male malignant man management many margin mass maximal maximum
mdct mean medial medical medication medium meld mesenteric metastases metastasis metastatic metformin mhap mi
microcatheter microspheres microvascular middle milan mild mind minimal minimise minimize minimum minor
mitoxantrone moderate modest modified molecular monitor month months more most mr mra mrecist mri much multi
multifocal multinodular multiple must my myocardial n nafld nash nausea nccn near necrosis necrotic need needed
needs nephropathy nephrotoxic nephrotoxicity neuropathy neutropenia never new next nivolumab no nodal node nodes
nodular nodule nodules non none normal north not note now number obese objective obstruct obstruction occlude
occluded occlusion of often oil okuda old older on once one only open operable option options or oral order organ
other others otherwise our out outpatient outside over overall oxygen paclitaxel pain palliation palliative
pancreas pancreatitis parasitic parenchyma partial particle particles past patent patient patients pbc pe
pembrolizumab per percent percutaneous perform performance perfusion peripheral permanent pet phase phrenic
physician pi place plan planned platelet platelets platin platinum please pleural plus point points poor poorly
portal position possible post postembolisation postembolization posterior preceded prefer preferably preference
preferred preferring prefers pregnancy preserve preserved preserving pressure pretreated prevent previous
previously primarily primary prior prioritise prioritize priority probably problem procedure progreat progressed
progression progressive prolong prolonged propose protect protecting protocol proximal psc psma pugh pulmonary pvt
pvtt quadrasphere quality quick radiation radical radiofrequency radiologist radiology rads ramucirumab rapid
rapidly rare rather reached reaction really reasonable receive received recent recently recist recommend
recommended recurrence recurrent red reduce reduced reduction refer refractory refuse refused refuses regarding
regimen region regorafenib regression regular related relative remain remaining remnant renal repeat repeated
report request require required resectable resection reserve residual resistance respect respond responder
response result retain retention retreatment retry review right rim risk risks roi rupture ruptured safe safely
safety same satellite scan score second secondary section see seen segment segmental segments seldinger selective
selectively sensitive sensitivity sequential serum session sessions set seven several severe severely shall short
should shrink shrinkage shunt side simmons single sinusoidal situ six size sized slight slow small smaller so
solitary some soon sorafenib source south spare spared sparing spasm spleen splenic spread stable staged stages
staging standard start stasis status stay steatosis stenosis stent step still stomach stop strong study
subcapsular subsegmental subsequent such suitable super superior superselective superselectively supply support
surgeon surgery surgical survival survive suspected synchronous syndrome systemic tace tae take tandem target
targeted temporary tend terminal than that the their them then therapy there therefore these they think third this
those though three thrombocytopenia thrombosis thrombus through tia time tips tnm to today together tolerance
tolerate tolerated too total toward towards toxic toxicity transarterial transplant transplantation transplanted
treat treated treatment treatments tremelimumab triple try tumor tumors tumour tumours twelve twice two type
typical ucsf under undergo unfit unifocal unless unresectable until up up7 upper uptake us use used useful using
usual vague value variant varices vascular vascularity vein veins vena very vessel vessels via viable view viral
visible volume vs wait waiting want wants warfarin was wash washout watch way we weak week weeks well were west
what when where whereas whether which while who whole whose wide will wish wishes with within without woman work
worse would y90 yashiro year years yes yet you younger your yttrium zone
""")
