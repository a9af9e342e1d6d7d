"""docs/demo.svg: what `kimicode demo` really prints, as a picture. Run it again whenever the demo or its model changes.

What this script does not do: edit what was printed, but for the name of the temporary folder.
"""

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 112
STYLES = {"+": "green", "-": "red", "@": "cyan", "$": "bold", "→": "cyan"}


def main() -> None:
    """Run the demo and write the picture; fails where the demo fails."""
    command = [sys.executable, "-m", "kimicode", "demo"]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    console.print(Text("$ scripts/run demo", style="bold"))
    for line in run.stdout.splitlines():
        shown = re.sub(r"\S*kimicode-demo-\w+/", "", line)
        console.print(Text(shown, style=STYLES.get(shown[:1], "")))
    picture = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="kimicode demo"), flags=re.DOTALL)  # no fonts from elsewhere
    Path(__file__).with_name("demo.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
