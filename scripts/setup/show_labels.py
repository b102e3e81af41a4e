"""show_labels.py FILE.jsonl: the first three labels of each image that `ptrun predict` wrote, as a table."""
import json
import sys


def main() -> None:
    rows = []
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["status"] == "ok":
                rows.append([row["path"]] + [f"{p['label']} {p['score']:.1%}" for p in row["predictions"][:3]])
            else:
                rows.append([row["path"], "error: " + row["error"]])
    if not rows:
        sys.exit(f"{sys.argv[1]}: no rows in it")
    table = [["photo", "label", "second", "third"]] + rows
    widths = [max(len(row[i]) for row in table if i < len(row)) for i in range(4)]
    table.insert(1, ["-" * width for width in widths])
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
