"""What the rules answer when they cannot write a plan."""

from dataclasses import dataclass

CAN_DO: tuple[str, ...] = (
    "Redact all personal data [in the TABLE] [and count the findings per class]",
    "Redact e-mail addresses and phone numbers in the COLUMN column",
    "Summarise every scene, every act and the whole play (also chapter, part, book, section)",
    "Summarise each paragraph and the whole text",
    "Summarise each ROW of a table, or the TABLE by COLUMN",
    "Extract e-mail and order number from COLUMN",
    "Split the text into paragraphs, sentences, scenes, chapters or chunks of N tokens",
    "Count the TABLE by COLUMN",
)


@dataclass(frozen=True, slots=True)
class RulesRefusal:
    """Why there is no plan: `code`, a sentence in `detail`, and `can_do` as goals to imitate."""

    code: str
    detail: str
    can_do: tuple[str, ...] = CAN_DO


def not_recognised() -> RulesRefusal:
    """Return the refusal of a goal no rule matches; it says how to go on without one."""
    return RulesRefusal(
        "goal_not_recognised",
        "The rules recognise fixed patterns of goals only (see `can_do`), and this is none of "
        "them. Reword the goal, or submit a plan of your own with the job. Free wording needs "
        "the `model` planner engine, which is not part of this version; a later one will be "
        "configured by OPENAI_API_KEY and OPENAI_BASE_URL.",
    )
