"""Turns logs of `sklar fit --log run.jsonl` into event files of TensorBoard.

    python3 -m pip install tensorboard
    python3 examples/log_to_tensorboard.py run.jsonl runs/today
    tensorboard --logdir runs

A model of an ensemble has a run of its own. Steps that a resumed fit did again are there once.
"""
import json
import sys
from datetime import datetime
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

VALUES = {
    "step": ["loss", "crossEntropy", "squaredError", "gradientNorm", "learningRate"],
    "validation": ["loss"],
}


def convert(log, folder):
    """Event files of a log; returns how many steps each run has."""
    runs = {}
    for line in Path(log).read_text().splitlines():
        event = json.loads(line)
        run = runs.setdefault(event.get("model"), {"kept": [], "began": 0.0})
        if event["event"] in ("start", "resume"):
            # what a kill cut off after the checkpoint is told again
            run["kept"] = [kept for kept in run["kept"] if kept["step"] <= event["step"]]
            began = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
            run["began"] = began - (run["kept"][-1]["seconds"] if run["kept"] else 0.0)
        elif event["event"] in VALUES:
            run["kept"].append({**event, "wall": run["began"] + event["seconds"]})
    for model, run in runs.items():
        writer = EventFileWriter(str(folder if model is None else Path(folder) / f"model-{model}"))
        for event in run["kept"]:
            values = [
                Summary.Value(tag=f"{'training' if event['event'] == 'step' else 'validation'}/{name}",
                              simple_value=float("nan") if event[name] is None else event[name])
                for name in VALUES[event["event"]]
            ]
            writer.add_event(Event(wall_time=event["wall"], step=event["step"], summary=Summary(value=values)))
        writer.close()
    return {model: sum(e["event"] == "step" for e in run["kept"]) for model, run in runs.items()}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} run.jsonl FOLDER")
    for model, steps in convert(*sys.argv[1:]).items():
        print(f"{steps} steps" + ("" if model is None else f" of model {model}"))
