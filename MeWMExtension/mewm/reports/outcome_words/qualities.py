"""How well a tumour took up Lipiodol."""

from __future__ import annotations

from mewm.reports.outcome_words.pattern import any_of

GOOD = any_of(
    r"""
    satisf\w+ | good | well | dense(?:ly)? | complet\w+ | compact\w* | excellent | homogen\w+ | full\w* |
    uniform\w* | intense\w* | whole | entire\w* | throughout | adequate\w* | ideal | perfect\w* | saturated |
    strong\w* | great
    """
)
FAIR = any_of(
    r"""
    in part | partly | moderate\w* | acceptable | fair\w* | average | medium | general | partial\w* | so-so |
    reasonabl\w+
    """
)
BAD = any_of(
    r"""
    insufficien\w+ | poor\w* | patch\w+ | incomplet\w+ | sparse\w* | unsatisf\w+ | scant\w* | weak\w* |
    inadequate\w* | faint\w* | uneven | little | low | thin\w* | minimal\w* | limited |
    (?:heter|inhom)ogen\w+ | irregular\w* | spotty
    """
)
