"""`offer set | list | remove`: standing offers, signed by the node key."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from protocol.errors import BadInput, MallaError
from protocol.types import SignedOffer
from protocol.units import Seconds, Wei, from_tokens, in_tokens
from provider.cli.options import (
    DEFAULT_HOME,
    BackendClass,
    DeploymentFile,
    DryRun,
    Home,
    Json,
    OwnerKeystore,
    PasswordFile,
    Place,
    Rpc,
    Yes,
)
from provider.cli.output import confirm, reporting, say, table
from provider.config import TORCH_CLASS

app = typer.Typer(no_args_is_help=True, help="Standing offers: what you serve, at what price.")
MILLION = 10**6
Model = Annotated[str, typer.Option("--model", help="The model that it is for; needed where the node serves several.")]
Serves = Annotated[str, typer.Option("--serves", envvar="MALLA_MODEL", show_default=False,
                                     help="What the node serves, between commas; the offer is for one of them.")]
InputPrice = Annotated[str, typer.Option("--input-price", help="MALLA per million input tokens.")]
OutputPrice = Annotated[str, typer.Option("--output-price", help="MALLA per million output tokens.")]
MaxInput = Annotated[int, typer.Option("--max-input-tokens", min=1, help="Most input tokens of a job.")]
MaxOutput = Annotated[int, typer.Option("--max-output-tokens", min=1, help="Most output tokens of a job.")]
MinDuration = Annotated[int, typer.Option("--min-duration", min=0, help="Least seconds you need for a job.")]
MaxOutstanding = Annotated[str, typer.Option("--max-outstanding", help="Ceiling on open reserves, MALLA.")]
ValidHours = Annotated[int, typer.Option("--valid-hours", min=1, help="Hours until the offer expires.")]
Nonce = Annotated[int, typer.Argument(help="The offer's nonce, as `offer list` shows it.")]


@app.command("set")
def set_offer(
    input_price: InputPrice, output_price: OutputPrice, model: Model = "", max_input_tokens: MaxInput = 1024,
    max_output_tokens: MaxOutput = 256, min_duration: MinDuration = 60, max_outstanding: MaxOutstanding = "200",
    valid_hours: ValidHours = 720, home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    password_file: PasswordFile = None, keystore: OwnerKeystore = None, json: Json = False, yes: Yes = False,
    dry_run: DryRun = False, backend_class: BackendClass = TORCH_CLASS, serves: Serves = "",
) -> None:
    """Sign a standing offer with the node key, keep it in the home folder and send it to every oracle."""
    from provider.cli.sending import open_chain, owner_address
    from provider.flow.offers import Terms, make_offer, sign_offer
    from provider.wiring.console import choose_served, open_node_keys, open_offer_files, publish_offer

    with reporting(json):
        place = Place(home, rpc_url, deployment, password_file, keystore)
        chain, owner = open_chain(place), owner_address(place)
        terms = Terms(per_token(input_price), per_token(output_price), max_input_tokens, max_output_tokens,
                      Seconds(min_duration), from_tokens(max_outstanding), Seconds(valid_hours * 3600))
        served, longest = choose_served(model, serves, backend_class), chain.parameters().max_duration
        offer = make_offer(owner, served, terms, time.time(), longest)
        value, lines = _shown(offer.nonce, asdict(offer)), _lines(offer, served.name)
        if not json:
            say(False, {}, lines)
        if dry_run:
            say(json, value | {"signed": False}, ["Nothing was signed or sent."])
            return
        confirm(yes, json)
        signed = sign_offer(offer, chain.domain, open_node_keys(place.node_keystore, place.password()))
        path = open_offer_files(place.home).write(signed)
        answers = publish_offer(chain, signed)
        taken = sum(error is None for error in answers.values())
        say(json, value | {"signed": True, "file": str(path), "oracles": answers}, [
            f"Signed and kept in {path}.", f"{taken} of {len(answers)} oracles have it; a running node sends it again.",
            *(f"  {oracle}: {error}" for oracle, error in answers.items() if error),
        ])


@app.command("list")
def list_offers(
    home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None, json: Json = False
) -> None:
    """The offers of the home folder, and whether they can still open jobs."""
    from provider.cli.sending import open_chain
    from provider.wiring.console import name_of_model, open_offer_files

    with reporting(json):
        chain = open_chain(Place(home, rpc_url, deployment))
        rows = [(signed, _state(chain, signed, time.time())) for signed in open_offer_files(home).standing()]
        value = {"offers": [_shown(one.offer.nonce, asdict(one.offer)) | {"state": state} for one, state in rows]}
        cells = [(str(s.offer.nonce), name_of_model(s.offer.model), per_million(s.offer.input_price),
                  per_million(s.offer.output_price),
                  f"{s.offer.max_input_tokens}+{s.offer.max_output_tokens}", str(s.offer.expiry), state)
                 for s, state in rows]
        say(json, value, table(cells, ("nonce", "model", "input/M", "output/M", "tokens", "expiry", "state"))
            if rows else ["There is no offer. Make one with: malla provider offer set"])


@app.command("remove")
def remove_offer(
    nonce: Nonce, home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    password_file: PasswordFile = None, json: Json = False, yes: Yes = False, dry_run: DryRun = False,
) -> None:
    """Revoke an offer and every older one on-chain (by the node key): no job can be opened with them any more."""
    from provider.cli.sending import open_chain, send
    from provider.flow.staking import Effect
    from provider.wiring.console import open_node_keys, open_offer_files

    with reporting(json):
        place = Place(home, rpc_url, deployment, password_file)
        chain, files = open_chain(place), open_offer_files(home)
        files.find(nonce)
        keys = open_node_keys(place.node_keystore, place.password())
        gone = [signed for signed in files.standing() if signed.offer.nonce <= nonce]
        effects = [Effect(f"offer {signed.offer.nonce}", _state(chain, signed, time.time()), "revoked")
                   for signed in gone]
        call = chain.revoke_offers(nonce + 1)
        done = send(chain, keys.signer, call, effects, as_json=json, yes=yes, dry_run=dry_run)
        if done["sent"]:
            for signed in gone:
                files.remove(signed.offer.nonce)


def per_token(price: str) -> Wei:
    """Wei per token of a price per million tokens. Errors: BadInput unless it comes out whole."""
    wei = from_tokens(price)
    if wei % MILLION:
        raise BadInput(f"{price} MALLA per million tokens is no whole number of wei per token.",
                       "Use at most 12 decimals.")
    return Wei(wei // MILLION)


def per_million(wei: int) -> str:
    return in_tokens(wei * MILLION)


def _state(chain: Any, signed: SignedOffer, now: float) -> str:
    try:
        if chain.is_offer_revoked(signed.offer.provider, signed.offer.nonce):
            return "revoked"
    except MallaError:
        return "unknown"
    return "expired" if signed.offer.expiry <= now else "standing"


def _shown(nonce: int, offer: dict[str, Any]) -> dict[str, Any]:
    shown = {key: "0x" + value.hex() if isinstance(value, bytes) else value for key, value in offer.items()}
    wei = ("input_price", "output_price", "max_outstanding")
    return shown | {f"{key}_wei": str(shown.pop(key)) for key in wei} | {"nonce": nonce}


def _lines(offer: Any, name: str) -> list[str]:
    return [
        f"Offer {offer.nonce} of {offer.provider} for {name}",
        f"  {per_million(offer.input_price)} MALLA per million input tokens, "
        f"{per_million(offer.output_price)} per million output tokens",
        f"  at most {offer.max_input_tokens} + {offer.max_output_tokens} tokens, at least {offer.min_duration} s",
        f"  open reserves up to {in_tokens(offer.max_outstanding)} MALLA, until {offer.expiry} (unix time)",
    ]
