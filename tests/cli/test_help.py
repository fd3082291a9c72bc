"""The command explains itself."""

import re
import subprocess
import sys

import pytest

from offcut import __version__, costs
from offcut.config import DEFAULT_FEATURES, FEATURES

HELP = {
    "the command": ([], ["segment", "verilog", "features", "examples:"]),
    "segment": (
        ["segment"],
        [
            *("--mtu", "--uso-size", "--id-mode", "--vlan", "--disable", "--engine", "--width", "--features", "--mtu-max", "--ufo-order"),
            *("--vnet-hdr", "--vnet-hdr-size", "--json", "--check", "--picture", "examples:"),
        ],
    ),
    "verilog": (["verilog"], ["--width", "--features", "--mtu-max", "--ufo-order", "--user-width", "FILE.v", "examples:"]),
    "features": (["features"], ["ethtool -k", "--features", "--disable", "examples:"]),
}


@pytest.mark.parametrize("command, words", HELP.values(), ids=HELP)
def test_help_teaches_with_examples(offcut, command, words):
    outcome = offcut(*command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    for word in words:
        assert word in outcome.out


def test_the_version_is_the_one_of_the_package(offcut):
    assert offcut("--version").out == f"offcut {__version__}\n"


FEATURE = re.compile(r"^(?P<name>[\w-]+): +(?P<state>on|off(?: \[not built in\])?)(?: {2,}(?P<cost>[+-][\d,]+) LUT)? {2,}(?P<what>\S.*)$")


def listed(outcome):
    """The lines of `offcut features` behind the first, by their features' names."""
    head, *lines = outcome.out.splitlines()
    assert head.startswith("Features of an engine ") and head.endswith(":")
    return {found["name"]: found for found in map(FEATURE.match, lines)}


def states(outcome):
    return {name: found["state"] for name, found in listed(outcome).items()}


def test_features_are_listed_by_their_ethtool_names_in_the_order_of_their_bits(offcut):
    outcome = offcut("features")
    assert list(states(outcome)) == list(FEATURES)
    assert states(outcome) == {name: "on" if name in DEFAULT_FEATURES else "off [not built in]" for name in FEATURES}


def test_features_that_are_left_out_or_switched_off_are_off(offcut):
    built_in = ["tx-checksum-ip-generic", "tx-vlan-offload", "tx-checksum-sctp"]
    outcome = offcut("features", "--features", ",".join(built_in), "--disable", "tx-vlan-offload")
    expected = dict.fromkeys(FEATURES, "off [not built in]") | dict.fromkeys(built_in, "on") | {"tx-vlan-offload": "off"}
    assert states(outcome) == expected


GROUPS = {
    "default": DEFAULT_FEATURES,
    "all": set(FEATURES),
    "default,tx-checksum-sctp": set(FEATURES),
    "tx-vlan-offload,all": set(FEATURES),
    "": set(),
}


@pytest.mark.parametrize("chosen", GROUPS)
def test_default_and_all_stand_for_several_features(offcut, chosen):
    assert {name for name, state in states(offcut("features", "--features", chosen)).items() if state == "on"} == GROUPS[chosen]


def test_a_features_cost_is_what_it_adds_to_an_engine_that_has_none(offcut, monkeypatch):
    engine = {"width": 128, "mtu_max": 9216, "ufo_order": "last", "user_width": 0}
    rows = [
        {"features": [], "LUT": 1000},
        {"features": ["tx-vlan-offload"], "LUT": 2234},
        {"features": list(DEFAULT_FEATURES), "LUT": 5678},
    ]
    monkeypatch.setattr(costs, "rows", lambda: [engine | row for row in rows])
    outcome = offcut("features", "--width", 128)
    assert outcome.out.startswith("Features of an engine 128 bits wide, 5,678 LUT in all:\n")
    assert {name: found["cost"] for name, found in listed(outcome).items() if found["cost"]} == {"tx-vlan-offload": "+1,234"}
    assert not any(found["cost"] for found in listed(offcut("features", "--width", 32)).values()), (
        "nothing is told of what was not measured"
    )


def test_the_module_runs_as_the_command():
    ran = subprocess.run([sys.executable, "-m", "offcut", "features"], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "") and "tx-tcp-segmentation" in ran.stdout


def test_a_closed_pipe_is_no_error_to_tell():
    ran = subprocess.Popen([sys.executable, "-m", "offcut", "features"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ran.stdout.close()
    assert ran.stderr.read() == b""
    ran.stderr.close()
    ran.wait()
