"""Read chosen signals out of a VCD file (IEEE 1364, 21.7), one value a clock."""

__all__ = ["read"]


def read(path, names, top, clock="clk"):
    """The values of signals in every clock: what stands after its rising edge.

    Parameters
    ----------
    path : path
        Of the VCD file.
    names : iterable of str
        ``"signal"`` in scope ``top``, or ``"submodule.signal"``.
    top : str
        The scope that is meant, if the file nests it in others.

    Raises
    ------
    KeyError
        If there is no such signal; the message names it.
    """
    with open(path) as file:
        codes = _codes(file, top)
        for name in (clock, *names):
            if name not in codes:
                raise KeyError(f"There is no signal {name!r} in scope {top!r} of {path}")
        wanted = {codes[name] for name in (clock, *names)}
        now = dict.fromkeys(wanted, 0)
        values = {name: [] for name in names}
        before = 0
        for line in [*file, "#"]:
            if line[0] == "#":
                if now[codes[clock]] and not before:
                    for name, column in values.items():
                        column.append(now[codes[name]])
                before = now[codes[clock]]
                continue
            value, code = line[1:].split() if line[0] == "b" else (line[0], line[1:].strip())
            if code in wanted:
                now[code] = int(value, 2)
    return values


def _codes(file, top):
    """The file's code for each signal, by name, up to the end of the definitions."""
    codes = {}
    scopes = []
    for line in file:
        match line.split():
            case ["$scope", _, name, "$end"]:
                scopes.append(name)
            case ["$upscope", "$end"]:
                scopes.pop()
            case ["$var", _, _, code, name, *_] if top in scopes:
                inner = scopes[len(scopes) - scopes[::-1].index(top) :]
                codes[".".join([*inner, name])] = code
            case ["$enddefinitions", *_]:
                return codes
    raise ValueError("This VCD file has no end of its definitions")
