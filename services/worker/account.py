"""What the calls of one attempt cost, told or not."""

from dataclasses import dataclass

from shared.domain.model_call import Usage


@dataclass(slots=True)
class Account:
    """Sums over the calls of one unit's attempt; money in millionths of a US dollar."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_microusd: int = 0

    def add(self, usage: Usage | None, cost_microusd: int | None) -> None:
        """Count one call; without `usage` nobody said what it took."""
        self.calls += 1
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
        self.cost_microusd += cost_microusd or 0

    def to_json(self) -> dict[str, int] | None:
        """Return what is stored as ``usage``; None when no call was made."""
        if not self.calls:
            return None
        return {
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_microusd": self.cost_microusd,
        }

    def share(self, parts: int) -> list["Account"]:
        """Split the account of a shared call over `parts` units; the first take what is left."""
        names = ("calls", "input_tokens", "output_tokens", "cost_microusd")
        shares = [Account() for _ in range(parts)]
        for name in names:
            each, rest = divmod(getattr(self, name), parts)
            for number, share in enumerate(shares):
                setattr(share, name, each + (number < rest))
        return shares
