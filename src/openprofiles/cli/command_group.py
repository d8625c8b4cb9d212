"""A group of commands that suggests a similar command for a mistyped one."""

from __future__ import annotations

import click


class CommandGroup(click.Group):
    """A group of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like

            ctx.fail(f"No such command {name!r}.{did_you_mean(names_like(name, self.list_commands(ctx)))}")
        return super().resolve_command(ctx, args)
