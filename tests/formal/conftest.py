"""The prover with the tests' build folder, and gateware with one thing wrong."""

import inspect
from pathlib import Path
from types import ModuleType

import pytest

from formal import prover

BUILD = Path(__file__).resolve().parents[2] / "build" / "formal"


@pytest.fixture
def prove(request):
    """:func:`formal.prove`, in a folder that is named after the test."""
    name = "".join(letter if letter.isalnum() else "_" for letter in f"{request.node.path.stem} {request.node.name}")
    return lambda bench, **options: prover.prove(bench, name, build=BUILD, **options)


@pytest.fixture
def mutant():
    """Makes a module anew with a text in its source replaced, which must stand there once."""

    def make(module, text, becomes):
        source = inspect.getsource(module)
        assert source.count(text) == 1, f"{module.__name__} no longer holds {text!r} once: choose another fault"
        made = ModuleType(module.__name__)
        made.__package__ = module.__package__
        made.__file__ = module.__file__
        exec(compile(source.replace(text, becomes), module.__file__, "exec"), made.__dict__)
        return made

    return make
