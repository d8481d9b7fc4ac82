"""What is done with signatures: replays, second forms, too few of them, others' roles."""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

SETTLEMENTS = "contracts/escrow/Settlements.sol"
HASHES = "contracts/libraries/EscrowHashes.sol"
COMMITTEE = "contracts/OracleCommittee.sol"
TOKEN = "contracts/MallaToken.sol"

NO_DOMAIN = [
    Patch(
        SETTLEMENTS,
        "return _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions));",
        "return EscrowHashes.hashSettlement(setVersion, decisions);",
    )
]
RECOVERED = "(address signer,,) = ECDSA.tryRecoverCalldata(digest, signatures[i]);"
RAW = """bytes calldata raw = signatures[i];
            bytes32 vs = bytes32(raw[32:64]);
            uint8 v = raw.length == 64 ? uint8((uint256(vs) >> 255) + 27) : uint8(raw[64]);
            bytes32 low = raw.length == 64 ? vs & bytes32(type(uint256).max >> 1) : vs;
            address signer = ecrecover(digest, v < 27 ? v + 27 : v, bytes32(raw[0:32]), low);"""
ANY_FORM = [Patch(COMMITTEE, RECOVERED, RAW)]

NEEDED = "if (signatures.length < needed) revert"
MEMBER = "if (bitmap & _seatBit(signer) == 0) revert"
ASCENDING = "if (signer <= previous) revert"
ATTACKS = (
    Attack(
        "MinorityAsQuorum",
        "TooFewSignatures",
        [Patch(COMMITTEE, NEEDED, "if (signatures.length * 2 < needed) revert")],
    ),
    Attack(
        "OneSignerThreeTimes",
        "SignersNotAscending",
        [Patch(COMMITTEE, ASCENDING, "if (signer < previous) revert")],
    ),
    Attack("StrangersAsOracles", "SignerNotMember", [Patch(COMMITTEE, MEMBER, "if (signer == address(0)) revert")]),
    Attack(
        "ZeroAsSigner",
        "SignerNotMember",
        [
            Patch(COMMITTEE, MEMBER, "if (signer != address(0) && bitmap & _seatBit(signer) == 0) revert"),
            Patch(COMMITTEE, ASCENDING, "if (signer < previous) revert"),
        ],
    ),
    Attack("HighS", "SignerNotMember", ANY_FORM),
    Attack("VAsZeroOrOne", "SignerNotMember", ANY_FORM),
    Attack("CompactForm", "SignerNotMember", ANY_FORM),
    Attack("SixtySixBytes", "SignerNotMember", ANY_FORM),
    Attack("SignedForAnotherChain", "SignerNotMember", NO_DOMAIN),
    Attack("SignedBeforeTheFork", "SignerNotMember", NO_DOMAIN),
    Attack("SignedForAnotherContract", "SignerNotMember", NO_DOMAIN),
    Attack(
        "SignedForAnotherBatch",
        "SignerNotMember",
        [
            Patch(
                HASHES,
                "hashes[i] = keccak256(abi.encode(DECISION_TYPEHASH, decisions[i]));",
                "hashes[i] = keccak256(abi.encode(DECISION_TYPEHASH, decisions[i].outcome, decisions[i].amount));",
            )
        ],
    ),
    Attack(
        "SignedForAnotherSet",
        "TheftFailed",
        [Patch(SETTLEMENTS, "if (head.setVersion != setVersion) return", "if (setVersion == 0) return")],
    ),
    Attack(
        "ReceiptsAsSettlement",
        "SignerNotMember",
        [
            Patch(
                SETTLEMENTS,
                "return _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions));",
                "return decisions.length == 0\n"
                "            ? _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions))\n"
                "            : _hashTypedDataV4(EscrowHashes.hashStorageReceipt(bytes32(uint256(3))));",
            )
        ],
    ),
    Attack(
        "PermitTwice",
        "ERC2612InvalidSigner",
        [
            Patch(
                TOKEN,
                "    function clock() public view",
                "    function _useNonce(address) internal pure override returns (uint256) {\n"
                "        return 0;\n    }\n\n"
                "    function clock() public view",
            )
        ],
    ),
    Attack(
        "PermitExpired",
        "ERC2612ExpiredSignature",
        [
            Patch(
                TOKEN,
                "    function clock() public view",
                "    function permit(address owner, address spender, uint256 value, uint256, uint8, bytes32, bytes32)\n"
                "        public\n        override(ERC20Permit, IERC20Permit)\n    {\n"
                "        _useNonce(owner);\n        _approve(owner, spender, value);\n    }\n\n"
                "    function clock() public view",
            )
        ],
    ),
    Attack(
        "PrimeDeadQuorum",
        "TheftFailed",
        [
            Patch(
                COMMITTEE,
                "        address previous;\n        for (uint256 i; i < signatures.length; ++i) {",
                "        address previous;\n        for (uint256 i; i <= signatures.length; ++i) {",
            )
        ],
    ),
)
