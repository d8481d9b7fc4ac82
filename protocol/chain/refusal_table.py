"""Each custom error of the contracts as a sentence with its operands, and what to do about it.

An error that is not here (those of constructors, and of libraries that our calls cannot reach) is told by its name and
operands.
"""

from __future__ import annotations

AMOUNTS = frozenset({
    ("BalanceTooLow", "balance"), ("BalanceTooLow", "asked"), ("OutstandingTooHigh", "reserved"),
    ("OutstandingTooHigh", "ceiling"), ("StakeDoesNotDeter", "stake"), ("StakeDoesNotDeter", "needed"),
    ("AmountOverPrice", "amount"), ("AmountOverPrice", "price"), ("AmountMismatch", "signed"),
    ("AmountMismatch", "committed"), ("StakeTooLow", "active"), ("StakeTooLow", "asked"),
    ("ERC20InsufficientBalance", "balance"), ("ERC20InsufficientBalance", "needed"),
    ("ERC20InsufficientAllowance", "allowance"), ("ERC20InsufficientAllowance", "needed"),
})
"""Operands that are wei of the token: a message tells them in tokens, `ChainRefused.operands` keeps the wei."""

OTHER = ("{name} ({list}).", "The operands name the cause; look the error up in contracts/interfaces.")

TABLE: dict[str, tuple[str, str]] = {
    # escrow: balances and offers
    "ZeroAmount": ("The amount is zero.", "Give an amount above zero."),
    "BalanceTooLow": ("The escrow holds {balance} free tokens of {account}, {asked} are needed.",
                      "Deposit more, or ask for fewer output tokens."),
    "OfferExpired": ("The offer expired at second {expiry}, the chain's clock is at {timestamp}.",
                     "Fetch the provider's present offer."),
    "OfferIsRevoked": ("{provider} has revoked its offer with nonce {nonce}.", "Fetch the provider's present offer."),
    "OfferSignatureInvalid": ("The offer of {provider} is signed by {recovered}, its node key is {nodeKey}.",
                              "Fetch the provider's present offer: it may have rotated its key."),
    "TokensOutOfOffer": ("{inputTokens} input and {outputTokens} output tokens are asked, the offer allows 1 to "
                         "{maxInputTokens} and 1 to {maxOutputTokens}.", "Shorten the prompt or choose another offer."),
    "DurationOutOfBounds": ("A duration of {duration} s is not between {least} and {most} s.",
                            "Choose a duration within these bounds."),
    "OutstandingTooHigh": ("Open jobs of {provider} would reserve {reserved} tokens, its offer allows {ceiling}.",
                           "Wait until the provider has finished some jobs, or choose another one."),
    "StakeDoesNotDeter": ("{provider} has an active stake of {stake} tokens, this price needs {needed}.",
                          "The provider must stake more, or the job be smaller."),
    "ZeroPrice": ("The job's price is zero.", "Open it with an offer that has a price."),
    "ZeroDigest": ("A digest is zero.", "Give the keccak256 of the document."),
    "ProviderIsFrozen": ("{provider} is frozen by batch {batchId}.",
                         "Wait for the end of the appeal window, or choose another provider."),
    # escrow: jobs
    "JobExists": ("The job {jobId} was opened before.", "Use another nonce."),
    "WrongJobState": ("The job {jobId} is {state}.", "Read the job's state: somebody was faster, or the id is wrong."),
    "NotRequester": ("{caller} is not the requester of job {jobId}.", "Use the wallet that opened the job."),
    "NotProvider": ("{caller} is neither owner nor node key of the provider of job {jobId}.",
                    "Use the provider's own key."),
    "DeclineTooLate": ("The job {jobId} could be declined until second {until}.",
                       "Commit it in time, or let its deadline pass: it is refunded then."),
    "CancelChangesNothing": ("The deadline of job {jobId}, second {deadline}, is nearer than a cancel would bring it.",
                             "Wait for the deadline and refund the job."),
    "DeadlineNotReached": ("The job {jobId} can be refunded from second {deadline} on.", "Wait until then."),
    "DeadlinePassed": ("The deadline of job {jobId} was second {deadline}.", "The job can only be refunded now."),
    "JobOfConvictedProvider": ("The provider of job {jobId} was convicted at second {convictedAt}.",
                               "The job can only be refunded."),
    # escrow: work batches
    "BatchSize": ("{size} items, allowed are 1 to {limit}.", "Split the list."),
    "AmountOverPrice": ("{amount} tokens are claimed for job {jobId}, its price is {price}.",
                        "Claim at most the reserved price."),
    "UnknownNodeKey": ("{caller} is no provider's node key today.",
                       "Register the key, or use the present one if it was rotated."),
    "WrongBatchState": ("Batch {batchId} is {state}.",
                        "Read the batch's state: somebody was faster, or the id is wrong."),
    "BatchOfConvictedProvider": ("The provider of batch {batchId} was convicted through batch {convictedThrough}.",
                                 "Forfeit the batch: its requesters get their money back."),
    "EntriesMismatch": ("The entries given for batch {batchId} hash to {given}, committed is {committed}.",
                        "Pass the entries of the event BatchCommitted, in their order."),
    "LengthMismatch": ("Two lists that belong together have {left} and {right} items.", "Pass one item for each."),
    "OutcomeNotDecidable": ("{outcome} cannot be decided for batch {batchId}.",
                            "A quorum signs PASS, FRAUD or NOT_OPENED."),
    "AmountMismatch": ("The quorum signed {signed} tokens for batch {batchId}, its entries add up to {committed}.",
                       "Sign the sum of the entries' amounts."),
    "TooEarly": ("Batch {batchId} allows this from second {from} on.", "Wait until then."),
    "TooLate": ("Batch {batchId} allowed this until second {until}.", "Let the batch mature by default."),
    "IndexOutOfRange": ("Batch {batchId} has no entry {index}.", "Count from zero."),
    "NothingToBurn": ("There are no fees to burn.", "Nothing has to be done."),
    # staking
    "AlreadyRegistered": ("{provider} is registered already.", "Use `rotateNodeKey` to name another node key."),
    "NotRegistered": ("{provider} is not registered as a provider.", "Register first."),
    "ZeroNodeKey": ("The node key is the zero address.", "Name the node's address."),
    "NodeKeyAlreadyUsed": ("{nodeKey} was named by {provider} before; a node key is used once.",
                           "Create a fresh node key."),
    "NodeKeySignatureInvalid": ("The consent of the node key {nodeKey} is signed by {recovered}.",
                                "Sign `NodeKey(provider, nodeKey)` with the node key, for this owner and chain."),
    "ZeroEncryptionKey": ("The encryption key is zero.", "Give the node's X25519 public key."),
    "StakeTooLow": ("{provider} has an active stake of {active} tokens, {asked} are asked.", "Ask for less."),
    "TooManyUnstakings": ("{provider} has {limit} unstakings, which is the limit.",
                         "Withdraw the released ones first."),
    "NothingToWithdraw": ("There is nothing to withdraw now ({list}).",
                          "Unstake or resign first, then wait for the delay."),
    "OnlyEscrow": ("{caller} is not the escrow.", "Only the escrow slashes."),
    # committee
    "NoSeat": ("{oracle} has no seat in the committee.", "Use the key that the deployment names as a seat."),
    "AlreadyMember": ("{oracle} is a member already.", "Nothing has to be done."),
    "NotMember": ("{oracle} is not a member.", "Join first."),
    "StillReleasing": ("The stake of {oracle} is released at second {releaseAt}.", "Wait until then."),
    "ZeroKey": ("The encryption key or the anchor is zero.", "Give both."),
    "UrlLength": ("The URL has {length} bytes, allowed are 1 to {limit}.", "Give a shorter URL."),
    "UnknownSetVersion": ("There is no oracle set of version {setVersion}.", "Read the present version."),
    "TooFewSignatures": ("{given} signatures are given, {needed} are needed.", "Collect more oracles' signatures."),
    "SignerNotMember": ("{signer} is no member of the oracle set of version {setVersion}.",
                        "Leave that signature out: it is another set's, or of other content."),
    "SignersNotAscending": ("The signature of {signer} stands after that of {previous}.",
                            "Order signatures by their signers, each signer once."),
    # token
    "ERC20InsufficientBalance": ("{sender} has {balance} tokens, {needed} are needed.", "Get more tokens first."),
    "ERC20InsufficientAllowance": ("{spender} may take {allowance} tokens, {needed} are needed.",
                                   "Approve the amount first, or use a permit."),
    "ERC2612ExpiredSignature": ("The permit expired at second {deadline}.", "Sign a new one."),
    "ERC2612InvalidSigner": ("The permit of {owner} is signed by {signer}.", "Sign it with the owner's key."),
}
