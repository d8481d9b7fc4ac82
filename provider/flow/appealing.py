"""An appeal of a batch that is frozen for FRAUD: what it costs, what it can bring, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import BadInput
from protocol.types import BatchState, Outcome, Ruling
from protocol.units import Address, Wei, in_tokens
from provider.flow.staking import Effect


@dataclass(frozen=True)
class AppealCase:
    """A case that is there; times are unix seconds."""

    case_id: int
    ruling: Ruling
    deadline: int
    bond: Wei


@dataclass(frozen=True)
class AppealView:
    """A batch as the chain has it now. `until` is the first second at which an appeal comes too late; `earns` what its
    entries claim, wei."""

    batch_id: int
    owner: Address
    provider: Address | None
    state: BatchState
    outcome: Outcome
    until: int
    now: int
    bond: Wei
    ruling_window: int
    token_balance: Wei
    earns: Wei
    slash: Wei
    case: AppealCase | None = None


def plan_appeal(view: AppealView) -> list[Effect]:
    """What an appeal changes. Errors: BadInput: not yours, not frozen for fraud, too late, no bond."""
    if view.provider is None:
        raise BadInput(f"The chain has no work batch {view.batch_id}.", "See `malla provider status` for a frozen one.")
    if view.provider.lower() != view.owner.lower():
        raise BadInput(f"Batch {view.batch_id} is {view.provider}'s, not {view.owner}'s.",
                       "Name a batch of yours, or its owner's keystore.")
    if view.state is not BatchState.FROZEN or view.outcome is not Outcome.FRAUD:
        why = f" for {view.outcome.name}" if view.state is BatchState.FROZEN else ""
        raise BadInput(f"Batch {view.batch_id} is {view.state.name}{why}: only one frozen for FRAUD is appealed.",
                       "A batch frozen for NOT_OPENED is saved by its openings, which the node posts itself.")
    if view.now >= view.until:
        raise BadInput(f"Batch {view.batch_id} could be appealed until second {view.until}; it is {view.now}.",
                       "Nothing can be done any more: anyone may forfeit it now.")
    if view.token_balance < view.bond:
        raise BadInput(f"The bond is {in_tokens(view.bond)} tokens, {view.owner} has {in_tokens(view.token_balance)}.",
                       "Send tokens to the owner first, or: malla provider withdraw --earnings")
    return [
        Effect("bond", "", f"{in_tokens(view.bond)} tokens of the owner's; they return if the appeal is upheld or "
               "nobody rules, and are burned if it is rejected"),
        Effect("openings", "", "the transcripts of the frozen leaves are opened to every oracle"),
        Effect("if upheld", "", f"the batch is paid ({in_tokens(view.earns)} tokens, less the fee), no slash"),
        Effect("if rejected, or nobody rules", "",
               f"the batch is forfeited and about {in_tokens(view.slash)} tokens of your stake are slashed"),
        Effect("freeze ends", f"second {view.until}", f"with the ruling, at the latest at second "
               f"{view.now + view.ruling_window}"),
    ]


def case_line(case: AppealCase, now: int) -> str:
    """How a case stands, as one sentence."""
    name = f"Case {case.case_id}"
    ends = {
        Ruling.UPHELD: "was UPHELD: the batch is paid and the bond has returned.",
        Ruling.REJECTED: "was REJECTED: the bond is burned and the batch is forfeited.",
        Ruling.DEFAULT: "was closed by default: nobody ruled, the bond has returned, the freeze has ended.",
    }
    if case.ruling in ends:
        return f"{name} {ends[case.ruling]}"
    if now >= case.deadline:
        return f"{name} was not ruled in time: its bond of {in_tokens(case.bond)} tokens can be taken back."
    return f"{name} is open: the oracles rule until second {case.deadline}."
