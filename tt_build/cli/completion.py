"""``tt-build completion``: a completion script for bash, zsh or fish, made from the command line's own declaration."""

from __future__ import annotations

import argparse

from tt_build.cli.arguments import Commands

# Arguments whose values are files, kernels or codes, by destination.
_KERNELS = {"kernel", "kernels", "subject"}


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("completion", help="print a completion script for a shell")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(command=completion)


def completion(options: argparse.Namespace) -> int:
    """Print the script."""
    print({"bash": bash, "zsh": zsh, "fish": fish}[options.shell](), end="")
    return 0


def commands() -> dict[str, tuple[str, list[argparse.Action]]]:
    """Help and arguments of every command, by name."""
    from tt_build.cli import parser

    choice = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    helps = {entry.dest: entry.help or "" for entry in choice._choices_actions}
    return {name: (helps[name], list(made._actions)) for name, made in choice.choices.items()}


def bash() -> str:
    """For bash: source it, or put it into the folder of completions as ``tt-build``."""
    found = commands()
    lines = ["# bash completion for tt-build", "_tt_build() {", "    local current=${COMP_WORDS[COMP_CWORD]}"]
    lines += ["    local previous=${COMP_WORDS[COMP_CWORD-1]}", "    COMPREPLY=()"]
    lines += ['    if [ "$COMP_CWORD" -eq 1 ]; then']
    lines += [f'        COMPREPLY=($(compgen -W "{" ".join([*found, "--help", "--version"])}" -- "$current"))']
    lines += ["        return", "    fi", '    case "${COMP_WORDS[1]} $previous" in']
    for name, (_, actions) in found.items():
        for action in actions:
            if action.choices:
                words = " ".join(map(str, action.choices))
                patterns = "|".join(f'"{name} {option}"' for option in action.option_strings) or f'"{name} {name}"'
                lines.append(f'    {patterns}) COMPREPLY=($(compgen -W "{words}" -- "$current")); return ;;')
    lines += ["    esac", '    case "${COMP_WORDS[1]}" in']
    for name, (_, actions) in found.items():
        words = " ".join(option for action in actions for option in action.option_strings)
        lines.append(f'    {name}) [[ $current == -* ]] && COMPREPLY=($(compgen -W "{words}" -- "$current")) ;;')
    lines += ["    esac", "}", "complete -o default -F _tt_build tt-build", ""]
    return "\n".join(lines)


def zsh() -> str:
    """For zsh: as ``_tt-build`` in a folder of ``fpath``."""
    found = commands()
    lines = ["#compdef tt-build", "_tt_build() {", "  local -a commands", "  commands=("]
    lines += [f"    '{name}:{_quoted(help_)}'" for name, (help_, _) in found.items()]
    lines += ["  )", "  if (( CURRENT == 2 )); then", "    _describe command commands", "    return", "  fi"]
    lines += ["  local name=$words[2]", "  shift words; (( CURRENT-- ))", "  case $name in"]
    for name, (_, actions) in found.items():
        lines.append(f"  {name}) _arguments \\")
        for action in actions:
            lines.append(f"    {_zsh_argument(action)} \\")
        lines[-1] = lines[-1][:-2] + " ;;"
    lines += ["  esac", "}", '_tt_build "$@"', ""]
    return "\n".join(lines)


def _zsh_argument(action: argparse.Action) -> str:
    help_ = _quoted(action.help or action.dest).replace("[", "(").replace("]", ")").replace(":", " ")
    values = f"({' '.join(map(str, action.choices))})" if action.choices else "_files"
    if not action.option_strings:
        optional = ":" if action.nargs == "?" else ""
        return f"':{optional}{action.dest}:{' ' if action.dest in _KERNELS else values}'"
    takes = f":{action.dest}:{values}" if action.nargs != 0 else ""
    repeat = "*" if isinstance(action, argparse._AppendAction) else ""
    return " ".join(f"'{repeat}{option}[{help_}]{takes}'" for option in action.option_strings)


def fish() -> str:
    """For fish: as ``tt-build.fish`` in the folder of completions."""
    lines = ["# fish completion for tt-build"]
    for name, (help_, actions) in commands().items():
        lines.append(f"complete -c tt-build -n __fish_use_subcommand -f -a {name} -d '{_quoted(help_)}'")
        condition = f"-n '__fish_seen_subcommand_from {name}'"
        for action in actions:
            words = f" -x -a '{' '.join(map(str, action.choices))}'" if action.choices else ""
            takes = " -r" if action.nargs != 0 and not words else ""
            for option in action.option_strings:
                kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                lines.append(f"complete -c tt-build {condition} {kind}{takes}{words} -d '{_quoted(action.help or '')}'")
            if not action.option_strings and action.choices:
                lines.append(f"complete -c tt-build {condition} -f -a '{' '.join(map(str, action.choices))}'")
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    return text.replace("'", "")
