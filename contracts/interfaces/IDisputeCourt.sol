// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "./escrow/IEscrowBatches.sol";
import {IGoverned} from "./IGoverned.sol";

/// @title IDisputeCourt: appeals of convicted providers and bonded disputes of requesters
/// @notice A case is ruled by a quorum of the whole committee of the moment it was opened, each member recomputing in
/// public; without a ruling before the deadline the last signed evidence stands and the bond returns. Loser's bond:
/// half to the winner, half burned. What a provider that loses a dispute pays is taken from its stake.
/// @dev With four oracles the court is the same set as the quorum: it is a second look, not an independent one. A
/// ruling ends its case and moves the bond at once. What it means for the provider of a dispute is carried out by
/// `compensate` and `convict`, which anyone may call, because that depends on how the batch ends: a requester whose
/// price came back with a forfeited batch has lost nothing. The court holds the bonds of open cases and nothing else.
interface IDisputeCourt is IGoverned {
    enum Kind {
        NONE,
        APPEAL,
        DISPUTE
    }

    /// @notice How a case ended; NONE while it is open. DEFAULT is never signed: nobody ruled before the deadline.
    enum Ruling {
        NONE,
        UPHELD,
        REJECTED,
        CONVICTED,
        DEFAULT
    }

    /// @param appealBond Wei that an appeal deposits.
    /// @param disputeBond Wei that a dispute deposits.
    /// @param rulingWindow Seconds from the opening of a case to its deadline.
    /// @param disputeWindow Seconds after a commitment in which its entries can be disputed.
    /// @param shareMultiple Most of a challenger's share of a slash, in disputer's bonds.
    struct Terms {
        uint96 appealBond;
        uint96 disputeBond;
        uint32 rulingWindow;
        uint32 disputeWindow;
        uint16 shareMultiple;
    }

    /// @notice A case keeps the terms under which it was opened.
    /// @param plaintiff Who deposited the bond: the provider of an appeal, the requester of a dispute.
    /// @param setVersion The committee that rules it.
    /// @param deadline First second at which it cannot be ruled any more.
    /// @param index Entry that is disputed; of an appeal zero.
    /// @param isVoucher Whether that entry is a voucher.
    /// @param isCompensated Whether the plaintiff got back what it lost.
    /// @param bond Wei deposited.
    /// @param amount Wei that the entry claims: what the requester loses if it is paid. Of an appeal zero.
    /// @param maxShare Most wei of a slash that the plaintiff may get; of an appeal zero.
    struct Case {
        address plaintiff;
        Kind kind;
        Ruling ruling;
        uint16 setVersion;
        uint40 deadline;
        uint8 index;
        bool isVoucher;
        bool isCompensated;
        address provider;
        uint96 bond;
        uint96 amount;
        uint96 maxShare;
        uint64 batchId;
    }

    error NoSuchCase(uint256 caseId);
    error CaseExists(uint256 batchId, uint256 index, uint256 caseId);
    error CaseClosed(uint256 caseId, Ruling ruling);
    error NotFrozenForFraud(uint256 batchId);
    error NotParty(uint256 batchId, address caller);
    error DisputeTooLate(uint256 batchId, uint256 until);
    error AppealTooLate(uint256 batchId, uint256 until);
    /// @notice The entry takes nothing from its requester: its price came back, or it claims nothing.
    error AlreadyReturned(uint256 batchId, uint256 index);
    error RulingNotPossible(uint256 caseId, Ruling ruling);
    error RulingTooLate(uint256 caseId, uint256 deadline);
    error RulingTooEarly(uint256 caseId, uint256 deadline);
    /// @notice Only a dispute that was ruled UPHELD or CONVICTED compensates.
    error NotUpheld(uint256 caseId, Ruling ruling);
    error CompensatedAlready(uint256 caseId);
    /// @notice The batch has not ended yet; once it has, `compensate` works.
    error BatchNotOver(uint256 batchId, IEscrowBatches.BatchState state);
    /// @notice While its provider is frozen a case waits: a slash comes first, and the freeze ends by itself.
    error ProviderInFreeze(address provider, uint256 batchId);
    error NotConvicted(uint256 caseId, Ruling ruling);
    error ConvictionTooLate(uint256 caseId, uint256 until);
    /// @notice A conviction since then reached this batch too: a provider is slashed once for all that it had
    /// committed.
    error ConvictedSince(address provider, uint256 convictedThrough);

    /// @param index Entry that is disputed; of an appeal zero.
    event CaseOpened(
        uint64 indexed caseId,
        Kind kind,
        uint64 indexed batchId,
        uint16 index,
        address indexed plaintiff,
        address provider,
        uint96 bond,
        uint16 setVersion,
        uint40 deadline
    );
    event CaseRuled(uint64 indexed caseId, Ruling ruling);
    event CaseDefaulted(uint64 indexed caseId);
    /// @param awarded Wei of the provider's stake that the plaintiff can claim in `Staking`.
    /// @param burned Wei of the provider's stake that were burned.
    event CaseCompensated(uint64 indexed caseId, uint96 awarded, uint96 burned);
    event TermsChanged(Terms terms);

    /// @notice The owner of a provider whose batch is frozen for FRAUD, before the freeze ends: deposit `appealBond`
    /// and ask the whole committee. The freeze lasts until the case's deadline, and not longer. One appeal a batch.
    function appeal(uint64 batchId, IEscrowBatches.BatchHead calldata head, IEscrowBatches.Entry[] calldata entries)
        external
        returns (uint64 caseId);

    /// @notice The requester of entry `index`, until `disputeWindow` after the commitment: deposit `disputeBond` and
    /// ask the whole committee to recompute the answer. It stops nothing: evidence that a requester picked returns
    /// its money, out of the provider's stake if the batch was paid, and convicts only if it is exact. An entry is
    /// disputed once, and again only if nobody ruled.
    function dispute(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        uint16 index
    ) external returns (uint64 caseId);

    /// @notice Anyone, before the deadline: end the case with a ruling that a quorum of its set signed, EIP-712
    /// `Ruling(uint64 caseId,uint8 ruling)` in the court's domain.
    /// @dev APPEAL: UPHELD pays the batch and returns the bond; REJECTED lets the freeze end now and burns the whole
    /// bond, since oracles must not earn by convicting. DISPUTE: UPHELD and CONVICTED return the bond, and compensate
    /// at once if that is due; REJECTED gives half of the bond (rounded down) to the provider and burns the rest.
    /// @param head Of the batch; read only when an appeal is UPHELD, and so are `entries`.
    function rule(
        uint64 caseId,
        Ruling ruling,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        bytes[] calldata signatures
    ) external;

    /// @notice Anyone, from the deadline on: nobody ruled, so the last signed evidence stands and the bond returns.
    function closeByDefault(uint64 caseId) external;

    /// @notice Anyone, once the batch of a dispute that was UPHELD or CONVICTED has ended and its provider is not
    /// frozen: if the entry was paid, take out of the provider's stake, as far as it goes, its amount and a penalty
    /// of min(bond, amount). The amount and half of the penalty (rounded down) become the plaintiff's award in
    /// `Staking`, the other half is burned. Once a case.
    function compensate(uint64 caseId) external;

    /// @notice Anyone, until 45 days after the deadline of a dispute that was ruled CONVICTED: convict the provider,
    /// after compensating the plaintiff if that is due. Waits for a freeze of the provider and, if the escrow's
    /// ceiling is reached, for its next slash epoch.
    function convict(uint64 caseId, IEscrowBatches.BatchHead calldata head) external;

    /// @notice Governance: terms of the cases to come. `rulingWindow` and the escrow's longest way must fit into the
    /// delays of stakes and seats, `disputeWindow` into the escrow's maturityWindow + evidenceWindow.
    function setTerms(Terms calldata terms) external;

    function caseOf(uint64 caseId) external view returns (Case memory);
    /// @notice Ids start at 1.
    function caseCount() external view returns (uint64);
    /// @notice The appeal of a batch; zero if none.
    function appealOf(uint64 batchId) external view returns (uint64 caseId);
    /// @notice The last dispute of an entry; zero if none.
    function disputeOf(uint64 batchId, uint16 index) external view returns (uint64 caseId);
    function terms() external view returns (Terms memory);
    function rulingWindow() external view returns (uint32);
    function rulingDigest(uint64 caseId, Ruling ruling) external view returns (bytes32);
    function escrow() external view returns (address);
}
