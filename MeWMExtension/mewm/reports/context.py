"""Whether an agent named in a clause was given in this session, and if not, why."""

from __future__ import annotations

import re

from mewm.actions.lexicon import OTHER_ORGANS, OUTCOME_WORDS, SEEN_WORDS
from mewm.actions.tokens import Token
from mewm.reports.names import is_listed
from mewm.reports.text import Clause
from mewm.reports.words import GIVING, OFTEN


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_EARLIER = re.compile(
    r"\b(?:(?<!as )previous(?:ly)?(?! described)|prior(?! to)|history of|h/o|s/p|status post|"
    r"in the past|past (?:medical|surgical)|"
    r"had (?:an? )?(?:tace|tae|taci|chemoemboli|emboli[sz]ation)|"
    r"ha[ds] (?:already |also )?(?:received|undergone|been treated|been given)|(?:first|second|initial|earlier|last) "
    r"(?:tace|session|treatment|procedure|course) (?:with|using|of|was|had)|(?:tace|session) ?(?:#|"
    r"no\.? ?)?\d? ?(?:in|on) "
    rf"(?:(?:{_MONTHS})\b|(?:19|20)\d\d))"
)
_AGO = re.compile(
    r"(?:(?:years?|months?|weeks?|days?) (?:ago|earlier|before)|last (?:week|month|year)|elsewhere|previously|"
    r"since (?:jan|feb|mar|apr|may|ju[nl]|aug|sep|oct|nov|dec|last|(?:19|20)\d\d)\w*)\b"
)
_DATED = re.compile(
    rf"\bin (?:(?:{_MONTHS})\b\.? ?)?(?:19|20)\d\d\b.*\b(?:underwent|received|treated)|"
    rf"\b(?:underwent|received|treated)\b.*\bin (?:(?:{_MONTHS})\b\.? ?)?(?:19|20)\d\d\b"
)
_NOW = re.compile(
    r"\b(?:today|now|this (?:time|session|procedure|treatment)|currently|presently|in the (?:present|"
    r"current) (?:session|procedure))\b"
)
_INTENDED = re.compile(
    r"[^,;]{0,25}?\b(?:was|were|had been) (?:originally |initially )?(?:planned|intended|scheduled|considered)\b"
)
# Without one of these words a clause tells of no other time, and six searches are spared.
_TIMES = _words(
    "previous previously prior history historical h s status past has had have first second third initial initially "
    "earlier last session ago before since elsewhere underwent undergone received treated plan planned planning next "
    "will recommend recommended recommends recommendation recommending consider considered consideration schedule "
    "scheduled should be continue resume discharged maintenance if case candidate may intended january february march "
    "april june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec"
)
_TURN = re.compile(r".*\b(?:but|however|instead)\b", re.DOTALL)
_LATER = re.compile(
    r"\b(?:(?<!as )planned|plan (?:had been |was |is )?to|(?:was|were) going to|"
    r"next (?:session|time|step|tace|treatment|procedure|course)|"
    r"will (?:be|receive|undergo|continue)|"
    r"recommend\w*|consider(?:ed|ation)?|scheduled|should|"
    r"to be (?:given|treated|started|continued|added|begun|resumed)|"
    r"continue|resume|"
    r"discharged (?:on|with)|maintenance|"
    r"if (?:needed|necessary|required)|in case of|candidate for|may be (?:added|given|used))\b"
)
# Words to whoever reads the report, which a report has no reason for.
_INSTRUCTION = re.compile(
    r"(?:ignore|disregard|forget|override) (?:\w+ ){0,4}(?:instructions?|prompts?|rules|above|text)\b|"
    r"you (?:are|must|should) |"
    r"(?:respond|reply|answer|output|print|return|report) (?:\w+ ){0,3}(?:json|only|that|with|instead)\b"
)
_ROLE = re.compile(r"(?:system|assistant|user) ?:")
# A name nobody lists, behind one of these, is a medicine given beside the treatment.
_BESIDE = re.compile(
    r"analges|antiemet|sedat|pre-?med|antibiot|an(?:a)?esth|prophyla|intravenous|\biv\b|oral|subcutan|hydration|steroid|"
    r"closure|heparin"
)
# Taken at home before and after.
_TAKEN_ON = re.compile(r"[^;]{0,60}?\b(?:continued|resumed|paused|orally|by mouth|per os)\b")
_SWALLOWED = re.compile(
    r"[^;,]{0,30}\b(?:orally|by mouth|per os|p\.o\.|po\b)"
    rf"|\s*\d[\d.,]* ?(?:mg|g|ml|mcg) (?:(?:once|twice|thrice) )?(?:{'|'.join(sorted(OFTEN - {'stat'}))})\b"
)
_INTO_A_VEIN = re.compile(
    r"[^;,]{0,60}\b(?:intravenous|intramuscular|subcutaneous)ly\b|"
    r"\s*[\d.,]+ ?(?:mg|g|ml|mcg) (?:i\.?v|i\.?m|s\.?c)\b"
)
_PILL = re.compile(r"\b(?:tab|tablet|cap|capsule|syp|syrup|suppository)s?\W*$")
_ALLERGY = re.compile(r"allerg|hypersensitiv|intoleran|anaphyla|contra-?indicat")
_OTHER_VESSEL = re.compile(
    r"\b(?:gda|gastroduodenal|splenic|right gastric|cystic|falciform|cholecystic|"
    r"supraduodenal)\b[^,;]{0,60}?(?:coil|emboli[sz]|occlu|protect|plug)"
    r"|(?:coil|emboli[sz]|occlu|protect|plug)[^,;]{0,40}?\b(?:gda|gastroduodenal|splenic|spleen|"
    r"right gastric|cystic artery|falciform)\b"
)
_PROTECTING = re.compile(
    r"\b(?:coil|plug)\w*[^,;]{0,60}(?:avoid|prevent|protect|reflux)|protective(?:ly)? (?:coil|emboli)"
)
# Without one of these the two longer searches find nothing.
_ORGAN = re.compile(r"gda|gastroduodenal|splen|right gastric|cystic|falciform|supraduodenal")
_ALCOHOL_OTHERWISE = re.compile(
    r"^[\s(-]*(?:\d+ ?(?:g|units?) ?(?:/|per |a )(?:d|w)|abuse|consum|intake|use\b|drink|"
    r"related|depend|withdraw|misuse|swab|prep|wipe|cirrhos|"
    r"hepatitis|ablation|"
    r"injection (?:of varices|therapy|ablation)|free\b|liver disease|excess|history)"
)
_PERCUTANEOUS = re.compile(r"(?:percutaneous|chronic|daily|heavy|social|denies|drinks?)\s+$")
_SECTIONS = (
    (
        "history",
        re.compile(
            r"history|previous|prior|past|outside|elsewhere|background|indication|clinical|comparison|reason|referral|diagnosis|pre-?op"
        ),
    ),
    ("allergy", re.compile(r"allerg")),
    (
        "plan",
        re.compile(
            r"\bplan|recommend|\badvi[cs]|follow-?up(?! (?:ct|mri?|imaging|angio|dsa|scan))|discharge|next|"
            r"aftercare|post-?procedure (?:orders|care|plan)"
        ),
    ),
)
_LISTING = re.compile(
    r"medication|^agents|^drugs?\b|^chemotherap|^procedures?\b|^operation|^exam|^title|^overview|^treatment"
)
_CLOSING = re.compile(r"impression|conclusion|summary|opinion|assessment")
_SUMMING = re.compile(
    r"\b(?:in (?:summary|total|conclusion)|to summari[sz]e|successful (?:\w+ ){0,4}(?:tace|"
    r"chemoemboli[sz]ation|emboli[sz]ation))\b"
)
_NOS = _words(
    "no without neither nor not never avoid avoiding avoided instead rather omit omitted omitting refused refuses "
    "refusing declined rejected withheld skipped skipping"
)
_BETWEEN = _words(
    ", / & or nor and any the a an of additional further adjunctive use injection infusion administration embolization "
    "embolisation with particulate absorbable drug drugs chemotherapeutic than using to give in treated given"
)
_NOUNS = _words(
    "cubes pieces powder slurry pledgets strips emulsion mixture suspension particles treatment embolization "
    "embolisation infusion injection sponge beads chemotherapy fluid and or"
)
_VERBS = _words("was were is are be been has have had could can did do does should would")
_NONE = re.compile(
    r"\s*(?:\(\s*-?\s*\)|\[\s*-?\s*\]|\s+none\b|[:=]\s*(?:none|nil|no|not (?:used|given)|0|-)\s*(?:$|[,;.)])"
    r"|\s*,\s*(?:-|none|nil|not (?:used|given))\s*(?:$|[,;.)]))"
)
_UNUSED = re.compile(
    r"[^,;.]{0,60}\bbut (?:was |were |in the end |finally )*(?:then )?"
    r"(?:not (?:used|given|administered|injected|needed|required|necessary|applied|opened)|discarded)\b"
    # "Absolute alcohol 5 ml, kept for the thrombus, was not used in the end".
    r"|[^,;]{0,15}, (?:which |that |had been |was |were |being )*(?:kept|held|reserved|prepared|drawn up|opened|"
    r"laid out|ordered|planned|intended|requested|brought|provided|ready)\b[^,;]{0,60},? (?:was|were) "
    r"(?:\w+ ){0,3}?not (?:\w+ ){0,3}?(?:used|given|administered|injected|needed|required|necessary|applied)\b"
    r"|\s*(?:was|were|is) (?:in the end|finally|eventually|ultimately|after all|then|however|therefore) not "
    r"(?:used|given|administered|injected|needed|required|necessary|applied|opened)\b"
    r"|[^,;.]{0,30}\b(?:kept ready|in reserve|on standby|at hand)\b"
)
# "Doxorubicin-induced cardiomyopathy" tells of an earlier treatment.
_INDUCED = re.compile(r"-(?:induced|related|associated|refractory|resistant)\b")
_TICKED = re.compile(r"(?:\[\s*[xX+]\s*\]|[☑☒✓✔])\s*$")
_UNTICKED = re.compile(r"(?:\[\s*\]|[☐□])\s*$")
_WITHHELD = re.compile(
    r"withheld|omitted|avoided|deferred|declined|refused|contra-?indicated|unavailable|abandoned|spared|skipped|refrained|dispensed|excluded"
)
_SHUT_WITH = _words("occluded blocked closed plugged sealed occlude block close plug seal")
_DEPOSIT = re.compile(r"deposit|uptake|accumul|retention|retained|coverage|stain|distribut|washout|wash-out")


def section(heading: str) -> str:
    """Return what a heading makes of the agents below it: ``"history"``, ``"allergy"``, ``"plan"`` or ``""``."""
    return next((reason for reason, words in _SECTIONS if words.search(heading)), "") if heading else ""


def rank(clause: Clause) -> int:
    """Return how likely a clause only says again what another says: 0 narrative, 1 title or list, 2 conclusion."""
    if _SUMMING.search(clause.lower):
        return 2
    if not clause.heading:
        return 0
    if _CLOSING.search(clause.heading):
        return 2
    return 1 if _LISTING.search(clause.heading) else 0


def why_not_given(clause: Clause, found: list[Token], i: int, dosed: bool) -> str:
    """Return why the agent at ``found[i]`` was not given, or ``""`` if it was.

    Args:
        clause: the clause.
        found: its pieces.
        i: place of the agent.
        dosed: whether the clause gives it a dose.
    """
    piece = found[i]
    before, after = clause.lower[: piece.start], clause.lower[piece.end :]
    if ("but" in before or "however" in before or "instead" in before) and (turn := _TURN.match(before)):
        # "Cisplatin was planned, but only ..." plans nothing behind "but".
        before = before[turn.end() :]
    if _UNTICKED.search(before):
        return "negated"
    if _INSTRUCTION.search(clause.lower) or _ROLE.match(clause.lower):
        return "instruction"
    # "No Lipiodol: PVA only" denies nothing behind the colon.
    colon = before.rfind(": ")
    said = [p for p in found[:i] if p.start > colon or not any(n.given and n.start < colon for n in found[:i])]
    if _denied_before([*said, piece], len(said), dosed) or (
        not _TICKED.search(before) and _denied_after(found, i, after, dosed)
    ):
        return "negated"
    if (clause.heading or _tells_time(found)) and (reason := _other_time(clause, before, after, found)):
        return reason
    if not dosed and _ALLERGY.search(clause.lower):
        return "allergy"
    if piece.sort == "unknown" and _taken_beside(clause, piece, before, after, dosed):
        return "other use"
    if not dosed and _INDUCED.match(after):
        return "history"
    if _elsewhere(clause.lower, found, i):
        return "other organ"
    if piece.agent == "absolute_alcohol" and (_ALCOHOL_OTHERWISE.match(after) or _PERCUTANEOUS.search(before)):
        return "other use"
    return "seen" if _seen(found, i, dosed) else ""


def _taken_beside(clause: Clause, piece: Token, before: str, after: str, dosed: bool) -> bool:
    """Return whether an unknown agent is swallowed, or a medicine given beside the treatment."""
    if (not dosed and _TAKEN_ON.search(after)) or _SWALLOWED.match(after) or _PILL.search(before):
        return True
    beside = _BESIDE.search(f"{clause.heading}: {before}") or _INTO_A_VEIN.match(after)
    return bool(beside) and not is_listed(piece.agent)


def _tells_time(found: list[Token]) -> bool:
    """Return whether a clause has a word or a year of another time than this session."""
    for piece in found:
        if piece.sort == "word":
            if piece.lower in _TIMES:
                return True
        elif piece.quantity is not None and 1900 <= piece.quantity.low < 2100:
            return True
    return False


def _other_time(clause: Clause, before: str, after: str, found: list[Token]) -> str:
    """Return ``"history"``, ``"allergy"`` or ``"plan"`` where heading or words say so, else ``""``."""
    if not _NOW.search(before):
        if reason := section(clause.heading):
            return reason
        if _EARLIER.search(before) or (
            (_AGO.search(clause.lower) or _DATED.search(clause.lower)) and not _NOW.search(clause.lower)
        ):
            return "history"
        if (
            _LATER.search(before)
            or _INTENDED.match(after)
            or (_LATER.search(after) and not any(p.lower in ("was", "were") for p in found))
        ):
            return "plan"
    return ""


def _elsewhere(text: str, found: list[Token], i: int) -> bool:
    """Return whether the agent went into a vessel that does not feed the tumour."""
    if found[i].sort == "unknown" and _PROTECTING.search(text) and "coil" in found[i].lower:
        return True
    if not _ORGAN.search(text):
        return False
    match = OTHER_ORGANS.search(text) or _OTHER_VESSEL.search(text)
    if not match:
        return False
    doses = [p for p in found if p.given and p.kind == "drug"]
    return not doses or (found[i].kind != "drug" and match.start() - 60 < found[i].start < match.end() + 60)


def _denied_before(found: list[Token], i: int, dosed: bool) -> bool:
    for piece in found[:i][::-1]:
        if piece.lower in _NOS:
            return True
        if piece.lower == "," and dosed:
            return False
        if not (piece.holds or piece.lower in _BETWEEN):
            return False
    return False


def _denied_after(found: list[Token], i: int, after: str, dosed: bool) -> bool:
    if _NONE.match(after) or _UNUSED.match(after):
        return True
    behind = found[i + 1 : i + 40]
    rest = behind
    while rest and (rest[0].holds or rest[0].sort in ("quantity", "mark") or rest[0].lower in _NOUNS):
        if rest[0].lower == "(":
            close = next((k for k, p in enumerate(rest) if p.lower == ")"), 0)
            rest = rest[close:]
        rest = rest[1:]
    words = [p.lower for p in rest[:5] if p.sort == "word"]
    others = [p for p in behind[: len(behind) - len(rest)] if p.given]
    if dosed and others and not (words and words[0] == "were"):
        # "4 ml Lipiodol / 20 mg Doxorubicin, glue not necessary"
        return False
    if not words or words[0] not in _VERBS:
        return bool(words) and words[0] in ("not", "withheld", "omitted") and "only" not in words[:2]
    if "not" in words[1:4] and "only" not in words[1:5]:
        return True
    return any(_WITHHELD.fullmatch(w) for w in words[1:4])


def _seen(found: list[Token], i: int, dosed: bool) -> bool:
    """Return whether the agent is something observed, such as deposited Lipiodol, and not something given."""
    beside = [p for p in _part(found, i) if p.quantity is not None and p.quantity.unit in ("mg", "ml", "µm")]
    if dosed or (beside and found[i].agent != "lipiodol"):
        return False
    after = [p.lower for p in found[i + 1 : i + 6] if p.sort == "word"]
    before = [p.lower for p in found[max(i - 4, 0) : i] if p.sort == "word"]
    if before[-1:] and before[-1] in ("with", "using", "by") and set(before[:-1]) & _SHUT_WITH:
        return False
    if after[:1] and (after[0] in SEEN_WORDS or after[0] in ("laden", "ct", "stained")):
        return True
    while before and before[-1] in ("the", "ultra", "liquid", "dense"):
        before.pop()
    if len(before) > 1 and before[-1] == "of" and (before[-2] in SEEN_WORDS or _DEPOSIT.match(before[-2])):
        return True
    words = {p.lower for p in _part(found, i) if p.sort == "word"}
    if found[i].agent == "lipiodol" and any(_DEPOSIT.match(w) for w in after) and not words & GIVING:
        return True
    return bool(words & OUTCOME_WORDS) and not words & GIVING


def _part(found: list[Token], i: int) -> list[Token]:
    """Return the pieces between the commas around a place."""
    commas = [-1, *(k for k, p in enumerate(found) if p.lower == ","), len(found)]
    start = max(k for k in commas if k < i)
    return found[start + 1 : min(k for k in commas if k > i)]
