// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBalances} from "../../contracts/interfaces/escrow/IEscrowBalances.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {ShadowBase} from "./ShadowBase.sol";
import {Vm} from "./Base.sol";

/// @title The escrow's books, kept from nothing but its events
/// @dev Amounts are signed, so that a wrong event shows as a difference and not as a revert.
abstract contract ShadowEscrow is ShadowBase {
    struct JobNote {
        address requester;
        address provider;
        uint96 price;
        uint40 openedAt;
        uint40 deadline;
        uint8 ends;
        bool cancelled;
        bool committed;
    }

    struct VoucherNote {
        bytes32 sessionId;
        uint96 added;
    }

    int256 public fees;
    int256 public exposed;
    int256 public sessionsHold;
    int256 public feesEver;
    mapping(address account => int256) public free;
    mapping(address provider => int256) public reserved;
    mapping(bytes32 jobId => JobNote) public jobs;
    mapping(bytes32 sessionId => address) public payerOf;
    mapping(bytes32 sessionId => int256) public sessionHolds;
    mapping(bytes32 sessionId => uint256) public claimed;
    mapping(uint64 batchId => uint256) public claimedIn;
    mapping(uint64 batchId => uint256) public claimsTold;
    mapping(uint64 batchId => uint256) public paidIn;
    mapping(uint64 batchId => uint256) public batchEnds;
    mapping(uint64 batchId => uint16) public termsOf;
    mapping(address provider => uint256) public convictedAt;
    mapping(uint64 batchId => VoucherNote[]) private _vouchers;
    mapping(uint16 version => IEscrowTerms.Parameters) private _terms;
    uint16 private _version;

    function _readEscrow(Vm.Log memory log) internal {
        bytes32 kind = log.topics[0];
        if (kind == IEscrowBalances.Deposited.selector) {
            free[_account(log.topics[1])] += abi.decode(log.data, (int256));
        } else if (kind == IEscrowBalances.Withdrawn.selector) {
            free[_account(log.topics[1])] -= abi.decode(log.data, (int256));
        } else if (kind == IEscrowBalances.FeesBurned.selector) {
            fees -= abi.decode(log.data, (int256));
        } else if (kind == IEscrowTerms.TermsChanged.selector) {
            _version = uint16(uint256(log.topics[1]));
            _terms[_version] = abi.decode(log.data, (IEscrowTerms.Parameters));
        } else if (!_readJob(kind, log) && !_readSession(kind, log)) {
            _readBatch(kind, log);
        }
    }

    function _readJob(bytes32 kind, Vm.Log memory log) private returns (bool) {
        if (kind == IEscrowJobs.JobOpened.selector) {
            _opened(log);
        } else if (kind == IEscrowJobs.JobCancelAsked.selector) {
            JobNote storage its = jobs[log.topics[1]];
            uint40 deadline = abi.decode(log.data, (uint40));
            note(25, deadline < its.deadline, "a cancel made the deadline later");
            its.deadline = deadline;
            its.cancelled = true;
        } else if (kind == IEscrowJobs.JobRefunded.selector) {
            _refunded(log);
        } else if (kind == IEscrowBatches.JobSettled.selector) {
            JobNote storage its = jobs[log.topics[1]];
            (uint96 paid, uint96 back) = abi.decode(log.data, (uint96, uint96));
            note(20, uint256(paid) + back == its.price, "paid + refunded is not the price");
            note(19, ++its.ends == 1, "a job ended twice");
            paidIn[uint64(uint256(log.topics[2]))] += paid;
            free[its.requester] += int256(uint256(back));
            exposed -= int256(uint256(its.price));
        } else {
            return false;
        }
        return true;
    }

    function _readSession(bytes32 kind, Vm.Log memory log) private returns (bool) {
        bytes32 id = log.topics.length > 1 ? log.topics[1] : bytes32(0);
        if (kind == IEscrowSessions.SessionOpened.selector) {
            (,,,, uint96 cap,) = abi.decode(log.data, (bytes32, address, uint96, uint64, uint96, uint40));
            payerOf[id] = _account(log.topics[2]);
            _hold(id, int256(uint256(cap)));
            _openFee(payerOf[id]);
        } else if (kind == IEscrowSessions.SessionToppedUp.selector) {
            (uint96 more,) = abi.decode(log.data, (uint96, uint96));
            _hold(id, int256(uint256(more)));
        } else if (kind == IEscrowSessions.SessionClosed.selector) {
            (, uint96 back) = abi.decode(log.data, (uint96, uint96));
            _hold(id, -int256(uint256(back)));
            note(20, sessionHolds[id] == 0, "a closed session holds something");
        } else if (kind == IEscrowSessions.VouchersCommitted.selector) {
            _told(uint64(uint256(id)), abi.decode(log.data, (IEscrowSessions.Claim[])));
        } else if (kind == IEscrowSessions.VouchersSettled.selector) {
            uint256 paid = abi.decode(log.data, (uint256));
            note(20, paid == claimedIn[uint64(uint256(id))], "vouchers were not paid what they added");
            paidIn[uint64(uint256(id))] += paid;
            exposed -= int256(paid);
        } else if (kind == IEscrowSessions.VoucherRefunded.selector) {
            (uint96 back,) = abi.decode(log.data, (uint96, uint8));
            free[_account(log.topics[2])] += int256(uint256(back));
            exposed -= int256(uint256(back));
            note(19, payerOf[id] == _account(log.topics[2]), "a voucher went back to somebody else");
        } else {
            return false;
        }
        return true;
    }

    function _readBatch(bytes32 kind, Vm.Log memory log) private {
        uint64 id = log.topics.length > 1 ? uint64(uint256(log.topics[1])) : 0;
        if (kind == IEscrowBatches.BatchCommitted.selector) {
            (, termsOf[id],) = abi.decode(log.data, (uint16, uint16, IEscrowBatches.Entry[]));
            _committed(log);
        } else if (kind == IEscrowBatches.BatchMatured.selector) {
            (, uint256 payout, uint256 fee) = abi.decode(log.data, (uint8, uint256, uint256));
            free[_account(log.topics[2])] += int256(payout);
            fees += int256(fee);
            feesEver += int256(fee);
            note(20, payout + fee == paidIn[id], "payout + fee is not what the entries paid");
            note(20, claimsTold[id] == _vouchers[id].length, "a voucher's totals are missing");
            note(20, fee == paidIn[id] * _terms[termsOf[id]].feeBps / 10_000, "the fee is not its share");
            note(19, ++batchEnds[id] == 1, "a batch ended twice");
        } else if (kind == IEscrowBatches.BatchForfeited.selector) {
            note(19, ++batchEnds[id] == 1, "a batch ended twice");
            note(19, paidIn[id] == 0, "a forfeited batch paid");
        } else if (kind == IEscrowBatches.AuditFeePaid.selector || kind == IEscrowBatches.SubmitFeePaid.selector) {
            int256 amount = int256(uint256(abi.decode(log.data, (uint96))));
            free[_account(log.topics[2])] += amount;
            fees -= amount;
        } else if (kind == IEscrowBatches.ProviderConvicted.selector) {
            convictedAt[_account(log.topics[1])] = block.timestamp;
        }
    }

    function _opened(Vm.Log memory log) private {
        (,,,, uint96 price,, uint40 deadline) =
            abi.decode(log.data, (bytes32, bytes32, uint32, uint32, uint96, uint64, uint40));
        address requester = _account(log.topics[2]);
        address provider = _account(log.topics[3]);
        note(25, jobs[log.topics[1]].openedAt == 0, "a job was opened twice");
        jobs[log.topics[1]] = JobNote(requester, provider, price, uint40(block.timestamp), deadline, 0, false, false);
        free[requester] -= int256(uint256(price));
        reserved[provider] += int256(uint256(price));
        exposed += int256(uint256(price));
        _openFee(requester);
    }

    /// @dev Jobs leave the reserve of their provider when they are committed, vouchers the rest of their session.
    function _committed(Vm.Log memory log) private {
        (,, IEscrowBatches.Entry[] memory entries) = abi.decode(log.data, (uint16, uint16, IEscrowBatches.Entry[]));
        for (uint256 i; i < entries.length; ++i) {
            if (entries[i].answerDigest == 0) {
                _added(uint64(uint256(log.topics[1])), entries[i]);
                continue;
            }
            JobNote storage its = jobs[entries[i].jobId];
            reserved[its.provider] -= int256(uint256(entries[i].price));
            note(25, its.price == entries[i].price && its.requester == entries[i].requester, "a job changed");
            its.committed = true;
        }
    }

    function _added(uint64 batchId, IEscrowBatches.Entry memory entry) private {
        bytes32 id = entry.jobId;
        int256 added = int256(uint256(entry.amount));
        note(20, entry.price == entry.amount && entry.requester == payerOf[id], "a voucher's entry is wrong");
        _vouchers[batchId].push(VoucherNote(id, entry.amount));
        claimedIn[batchId] += entry.amount;
        sessionHolds[id] -= added;
        sessionsHold -= added;
        exposed += added;
        note(20, sessionHolds[id] >= 0, "vouchers passed the cap");
    }

    /// @dev Running totals against what the entries added, voucher by voucher.
    function _told(uint64 batchId, IEscrowSessions.Claim[] memory claims) private {
        claimsTold[batchId] += claims.length;
        for (uint256 i; i < claims.length && i < _vouchers[batchId].length; ++i) {
            VoucherNote memory its = _vouchers[batchId][i];
            claimed[its.sessionId] += its.added;
            note(20, claimed[its.sessionId] == claims[i].amount, "entries do not add up to the voucher");
        }
    }

    function _refunded(Vm.Log memory log) private {
        JobNote storage its = jobs[log.topics[1]];
        (uint96 back, IEscrowJobs.RefundReason reason) = abi.decode(log.data, (uint96, IEscrowJobs.RefundReason));
        note(20, back == its.price && _account(log.topics[2]) == its.requester, "not the price, or not to its payer");
        note(19, ++its.ends == 1, "a job ended twice");
        free[its.requester] += int256(uint256(back));
        exposed -= int256(uint256(back));
        if (its.committed) return;
        reserved[its.provider] -= int256(uint256(back));
        if (reason == IEscrowJobs.RefundReason.EXPIRED || reason == IEscrowJobs.RefundReason.CANCELLED) {
            note(21, block.timestamp >= its.deadline, "refunded before the deadline");
            note(21, its.cancelled == (reason == IEscrowJobs.RefundReason.CANCELLED), "the wrong reason");
        } else if (reason == IEscrowJobs.RefundReason.DECLINED) {
            note(21, block.timestamp < its.openedAt + 40, "declined too late");
        } else {
            note(21, reason == IEscrowJobs.RefundReason.CONVICTED, "an open job has no such reason");
            note(21, its.openedAt <= convictedAt[its.provider], "no conviction reaches the job");
        }
    }

    function _hold(bytes32 sessionId, int256 more) private {
        sessionHolds[sessionId] += more;
        sessionsHold += more;
        free[payerOf[sessionId]] -= more;
    }

    function _openFee(address payer) private {
        int256 fee = int256(uint256(_terms[_version].openFee));
        free[payer] -= fee;
        fees += fee;
        feesEver += fee;
    }
}
