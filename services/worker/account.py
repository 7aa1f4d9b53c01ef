"""What the calls of one attempt cost, told or not, by model."""

from typing import Any

from shared.domain.model_call import Usage

_NAMES = ("calls", "input_tokens", "output_tokens", "cost_microusd")
_Sums = dict[str, int]


class Account:
    """Sums over the calls of one unit's attempt; money in millionths of a US dollar."""

    def __init__(self) -> None:
        self._by_model: dict[str, _Sums] = {}

    def add(self, usage: Usage | None, cost_microusd: int | None, model: str) -> None:
        """Count one call; without `usage` nobody said what it took."""
        self._add(
            model,
            {
                "calls": 1,
                "input_tokens": usage.input_tokens if usage else 0,
                "output_tokens": usage.output_tokens if usage else 0,
                "cost_microusd": cost_microusd or 0,
            },
        )

    def to_json(self) -> dict[str, Any] | None:
        """Return what is stored as ``usage``: the sums, and the model or what each took.

        None when no call was made.
        """
        if not self._by_model:
            return None
        sums: dict[str, Any] = {
            name: sum(one[name] for one in self._by_model.values()) for name in _NAMES
        }
        if len(self._by_model) == 1:
            return sums | {"model": next(iter(self._by_model))}
        return sums | {"by_model": self._by_model}

    def share(self, parts: int) -> list["Account"]:
        """Split the account of a shared call over `parts` units; the first take what is left."""
        shares = [Account() for _ in range(parts)]
        for model, sums in self._by_model.items():
            split = {name: divmod(sums[name], parts) for name in _NAMES}
            for number, share in enumerate(shares):
                share._add(
                    model, {name: each + (number < rest) for name, (each, rest) in split.items()}
                )
        return shares

    def _add(self, model: str, sums: _Sums) -> None:
        known = self._by_model.setdefault(model, dict.fromkeys(_NAMES, 0))
        for name in _NAMES:
            known[name] += sums[name]
