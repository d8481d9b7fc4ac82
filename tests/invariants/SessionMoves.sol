// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Book} from "./Book.sol";
import {Offers} from "./JobMoves.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title Sessions and the sub-keys that may sign for them
contract SessionMoves is Moves {
    uint256 private _keys = 1_000;
    mapping(address requester => address) private _keyOf;

    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function open(uint256 who, uint256 toWhom, uint256 cap) external told {
        address requester = _requester(who);
        address provider = _provider(toWhom);
        IEscrowJobs.Offer memory offer = Offers.standing(provider, escrow.providerRecord(provider).offersFrom);
        address key = _keyOf[requester];
        // A contract cannot sign: its sessions always name a key.
        if (requester == book.attacker() && key == address(0)) key = _authorise(requester, 200 ether);
        else if (who % 4 == 0) key = address(0);
        if (key == address(0) && requester == book.attacker()) revert Book.NothingToPick();
        _open(requester, offer, key, uint96(_bound(cap, 1, 40 ether)), uint32(60 + (cap >> 100) % 7_000));
    }

    function topUp(uint256 which, uint256 amount) external told {
        IEscrowSessions.Session memory session = book.pickSession(which, IEscrowSessions.SessionState.OPEN);
        vm.prank(session.requester);
        escrow.topUpSession(session, uint96(_bound(amount, 1, 10 ether)));
    }

    function close(uint256 which) external told {
        IEscrowSessions.Session memory session = book.pickSession(which, IEscrowSessions.SessionState.OPEN);
        address[3] memory closers = [session.requester, session.provider, book.stranger()];
        vm.prank(closers[which % 3]);
        escrow.closeSession(session);
    }

    function finish(uint256 which) external told {
        IEscrowSessions.Session memory session = book.pickSession(which, IEscrowSessions.SessionState.CLOSING);
        vm.prank(book.stranger());
        escrow.finishSession(session);
    }

    /// @notice A fresh key in place of the requester's last one.
    function authoriseKey(uint256 who, uint256 cap) external told {
        _authorise(_requester(who), uint96(_bound(cap, 1 ether, 200 ether)));
    }

    function revokeKey(uint256 who) external told {
        address requester = _requester(who);
        address key = _keyOf[requester];
        delete _keyOf[requester];
        vm.prank(requester);
        escrow.revokeKey(key);
        shadow.note(23, escrow.keyRecord(requester, key).endsAt != 0, "a revoked key was forgotten");
    }

    function _authorise(address requester, uint96 cap) private returns (address key) {
        key = stage.know(++_keys);
        _keyOf[requester] = key;
        vm.prank(requester);
        escrow.authoriseKey(key, cap, uint40(block.timestamp + 20_000), new bytes32[](0));
    }

    function _open(address requester, IEscrowJobs.Offer memory offer, address key, uint96 cap, uint32 duration)
        private
    {
        bytes32 digest = escrow.offerDigest(offer);
        IEscrowSessions.Session memory session = IEscrowSessions.Session({
            requester: requester,
            provider: offer.provider,
            offerDigest: digest,
            key: key,
            largestCall: 1_000 * offer.inputPrice + 1_000 * offer.outputPrice,
            openedAt: uint40(block.timestamp),
            nonce: book.nextNonce()
        });
        bytes memory signature = stage.signBy(staking.nodeKeyOf(offer.provider), digest);
        uint256 exposed = escrow.exposure();
        vm.prank(requester);
        bytes32 id = escrow.openSession(offer, signature, cap, duration, key, session.nonce);
        book.addSession(session);
        shadow.note(25, id == escrow.sessionIdOf(session), "the id is not the digest of the session");
        shadow.note(38, escrow.exposure() == exposed, "a session cap counts as exposed");
        if (key == address(0)) return;
        IEscrowSessions.KeyRecord memory record = escrow.keyRecord(requester, key);
        shadow.note(23, record.used <= record.cap, "a key used more than its cap");
    }
}
