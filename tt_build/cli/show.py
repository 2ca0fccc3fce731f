"""``tt-build show``: a kernel at each stage, as text."""

from __future__ import annotations

import argparse

from tt_build.cli.arguments import Commands, add_spec


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("show", help="print a kernel at each stage of the compiler")
    parser.add_argument("kernel", metavar="KERNEL", help="name of the kernel, with its variant, or of a program")
    add_spec(parser, option=True)
    parser.add_argument("--stage", metavar="PASS", help="only the stage after that pass; 'declaration' is before all")
    parser.add_argument("--all", action="store_true", help="every field of a stage, not only what its pass found out")
    parser.set_defaults(command=show)


def show(options: argparse.Namespace) -> int:
    """Print the declaration and what each pass added; stops at the pass that rejects the kernel (exit code 1)."""
    from tt_build.cli.arguments import declaration, load
    from tt_build.cli.programs import program_of
    from tt_build.cli.programs import shown as shown_program
    from tt_build.cli.stagetext import fields_text
    from tt_build.cli.terminal import Failure, Usage
    from tt_build.passes.pipeline import CHAINS, kind_of
    from tt_build.spec.diagnostics import Rejected
    from tt_build.spec.nearest import did_you_mean
    from tt_build.spec.render import render
    from tt_build.targets import load_arch

    loaded = load(options)
    program = program_of(loaded, options.kernel)
    if program is not None:
        print(shown_program(program, options.stage))
        return 0
    entry = declaration(loaded, options.kernel)
    passes = CHAINS[kind_of(entry)]
    names = ["declaration", *(step.name for step in passes)]
    if options.stage is not None and options.stage not in names:
        raise Usage(f"there is no stage '{options.stage}'; {did_you_mean(options.stage, names, what='stages')}")
    shown = []
    if options.stage in (None, "declaration"):
        shown.append("declaration\n" + fields_text(entry, ()))
    before: tuple[str, ...] = ()
    kernel: object = entry
    for number, step in enumerate(passes, 1):
        if options.stage == "declaration":
            break
        try:
            kernel = step.run(kernel, load_arch(entry.target.arch))
        except Rejected as rejected:
            print("\n\n".join(shown))
            messages = "\n\n".join(render(diagnostic, loaded.source) for diagnostic in rejected.diagnostics)
            raise Failure(f"pass {step.name} rejects {options.kernel}\n{messages}") from None
        if options.stage in (None, step.name):
            head = f"{number:02d} {step.name}: {step.takes.__name__} -> {step.gives.__name__}"
            skipped = () if options.all else before
            shown.append(f"{head}\n{fields_text(kernel, skipped, whole=options.all)}")
        before = step.gives.__struct_fields__
        if options.stage == step.name:
            break
    print("\n\n".join(shown))
    return 0
