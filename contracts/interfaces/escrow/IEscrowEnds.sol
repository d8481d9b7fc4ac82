// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "./IEscrowBatches.sol";
import {IEscrowTerms} from "./IEscrowTerms.sol";

/// @title IEscrowEnds: every way out of a work batch
/// @notice A quorum's decision, the default when there is none, the provider's last chance, the court, and forfeiture.
/// Its structs, errors and events are those of `IEscrowBatches`.
interface IEscrowEnds {
    /// @notice Anyone: carry out decisions that a quorum of the set signed, many batches at once. A batch that is no
    /// longer pending, belongs to another set or to a convicted provider is skipped with an event, and so is a PASS
    /// while the provider is frozen, a freeze over the epoch's ceiling, or a NOT_OPENED after openings were posted. A
    /// freeze shields nothing: further batches of the provider may be frozen while it lasts, and count once against the
    /// ceiling.
    /// @param heads The head of each decision's batch.
    /// @param entries The entries of each decision's batch; empty for FRAUD and NOT_OPENED.
    function settle(
        uint16 setVersion,
        IEscrowBatches.Decision[] calldata decisions,
        IEscrowBatches.BatchHead[] calldata heads,
        IEscrowBatches.Entry[][] calldata entries,
        bytes[] calldata signatures
    ) external;

    /// @notice The provider's last chance after NOT_OPENED: post the sealed openings for everyone to read, at most 128
    /// KiB in all. The batch is pending again, once, and its default limit counts from now.
    function postOpenings(uint64 batchId, IEscrowBatches.BatchHead calldata head, bytes[] calldata openings) external;

    /// @notice Anyone, from commit until T_max + evidenceWindow: record that f + 1 oracles hold the answers at
    /// `indexes`. Vouchers need none: they are signed evidence themselves.
    function recordStored(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        uint16[] calldata indexes,
        bytes[][] calldata signatures
    ) external;

    /// @notice Anyone, after T_max + evidenceWindow, if no quorum decided: pay vouchers and the jobs whose answers are
    /// recorded as stored, refund the others, slash nobody.
    function matureByDefault(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external;

    /// @notice Anyone: end a frozen batch after its window (this convicts and slashes its provider once), or give back
    /// a pending batch of a convicted provider. Returns every entry's full price to its requester.
    function forfeit(uint64 batchId, IEscrowBatches.BatchHead calldata head, IEscrowBatches.Entry[] calldata entries)
        external;

    /// @notice The court: keep a batch that is frozen for FRAUD frozen until `until`; once a batch, except to end it.
    function holdFreeze(uint64 batchId, uint40 until) external;

    /// @notice The court: a freeze was wrong. Pays the batch as PASS does and unfreezes its provider.
    function releaseFreeze(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external;

    /// @notice The court: an exact proof convicts the provider, wherever the batch stands.
    /// @param maxShare Most wei of the slash that the challenger may get.
    function convict(uint64 batchId, IEscrowBatches.BatchHead calldata head, address challenger, uint96 maxShare)
        external;

    /// @notice Reverts unless head and entries are those of the batch.
    function requireBatch(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external view returns (IEscrowBatches.BatchRecord memory);
    /// @notice Wei condemned so far in the present slash epoch.
    function condemnedInEpoch() external view returns (uint256);
    function settlementDigest(uint16 setVersion, IEscrowBatches.Decision[] calldata decisions)
        external
        view
        returns (bytes32);
    function storageReceiptDigest(bytes32 blob) external view returns (bytes32);
    /// @notice The wiring of the code behind these functions, which must be the escrow's.
    function partWiring() external view returns (IEscrowTerms.Wiring memory);
}
