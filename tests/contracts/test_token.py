from __future__ import annotations

from typing import Any

import pytest

from protocol.units import TOKEN, UINT96_MAX
from scripts.plan import GENESIS_SUPPLY
from tests.contracts.expect import NOBODY, now, refused
from tests.contracts.market import Market

CAP = 10**9 * TOKEN


def test_deploy__without_an_allocation__is_refused(market: Market, containers: Any) -> None:
    with refused("EmptyGenesis"):
        market.treasury.deploy(containers.MallaToken, [], market.stranger.address)


def test_deploy__with_an_empty_allocation__is_refused(market: Market, containers: Any) -> None:
    with refused("ZeroAllocation", market.stranger.address):
        market.treasury.deploy(containers.MallaToken, [(market.stranger.address, 0)], market.stranger.address)


def test_deploy__over_the_cap__is_refused(market: Market, containers: Any) -> None:
    with refused("ERC20ExceededCap", CAP + 1, CAP):
        genesis = [(market.stranger.address, CAP), (str(market.treasury), 1)]
        market.treasury.deploy(containers.MallaToken, genesis, market.stranger.address)


def test_deploy__to_the_zero_address__is_refused(market: Market, containers: Any) -> None:
    with refused("ERC20InvalidReceiver", NOBODY):
        market.treasury.deploy(containers.MallaToken, [(NOBODY, 1)], market.stranger.address)


def test_deploy__by_the_plan__mints_the_genesis_supply_and_no_more(market: Market, containers: Any) -> None:
    genesis = [list(pair) for pair in market.plan.genesis]
    fresh = market.treasury.deploy(containers.MallaToken, genesis, market.stranger.address)
    assert fresh.totalSupply() == fresh.genesisSupply() == fresh.balanceOf(market.treasury) == GENESIS_SUPPLY
    assert fresh.cap() == CAP < UINT96_MAX
    assert (fresh.symbol(), fresh.decimals(), fresh.minter()) == ("MALLA", 18, market.stranger.address)


@pytest.fixture
def minted(market: Market, containers: Any) -> Any:
    """A token of its own, with a wei less than the cap, whose minter is the stranger."""
    genesis = [(str(market.treasury), CAP - 1)]
    return market.treasury.deploy(containers.MallaToken, genesis, market.stranger.address)


def test_mint__by_anyone_but_the_minter__is_refused(market: Market, minted: Any) -> None:
    """R63: only the rewards contract mints, in the market as deployed."""
    assert market.token.minter() == market.rewards.address
    for caller in (market.treasury, market.requesters[0].account):
        with refused("OnlyMinter", str(caller)):
            minted.mint(str(caller), 1, {"from": caller})
        with refused("OnlyMinter", str(caller)):
            market.token.mint(str(caller), 1, {"from": caller})


def test_mint__over_the_cap__is_refused(market: Market, minted: Any) -> None:
    with refused("ERC20ExceededCap", CAP + 1, CAP):
        minted.mint(market.stranger.address, 2, {"from": market.stranger.account})


def test_mint__up_to_the_cap__adds_to_the_supply_and_not_to_the_genesis(market: Market, minted: Any) -> None:
    minted.mint(market.requesters[0].address, 1, {"from": market.stranger.account})
    assert (minted.totalSupply(), minted.genesisSupply()) == (CAP, CAP - 1)
    assert minted.balanceOf(market.requesters[0].address) == 1


def test_burn__of_more_than_is_held__is_refused(market: Market) -> None:
    with refused("ERC20InsufficientBalance", market.stranger.address, 0, 1):
        market.token.burn(1, {"from": market.stranger.account})


def test_burn__of_own_tokens__lowers_the_supply(market: Market) -> None:
    before = market.snapshot()
    market.token.burn(7, {"from": market.treasury})
    assert market.changes(before) == {"supply": -7}


def test_burn_from__without_an_allowance__is_refused(market: Market) -> None:
    stranger = market.stranger
    with refused("ERC20InsufficientAllowance", stranger.address, 0, 1):
        market.token.burnFrom(market.treasury, 1, {"from": stranger.account})


def test_permit__used_twice__is_refused(market: Market) -> None:
    owner, deadline = market.requesters[0], now() + 3_600
    v, r, s = market.permit(owner, market.escrow, 5, deadline)
    permit = (owner.address, market.escrow.address, 5, deadline, v, r, s)
    market.token.permit(*permit, {"from": market.stranger.account})
    with pytest.raises(Exception, match="ERC2612InvalidSigner"):
        market.token.permit(*permit, {"from": market.stranger.account})


def test_votes__of_a_delegate__follow_the_tokens_by_time(market: Market) -> None:
    assert market.token.CLOCK_MODE() == "mode=timestamp"
    holder = market.stranger
    market.token.delegate(holder.address, {"from": holder.account})
    market.token.transfer(holder.address, 9 * TOKEN, {"from": market.treasury})
    assert market.token.getVotes(holder.address) == 9 * TOKEN
