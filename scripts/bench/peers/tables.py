"""Whether gradient boosting tells one table from another, and how far their columns are apart.

A line of standard input is JSON with two paths of CSV files of the same columns, `data` and `sample`, and `aside`, names of columns that
are not looked at. The answer:

- auc: area under the ROC curve of HistGradientBoostingClassifier, of rows that it was not fitted to (five folds, shuffled)
- columns: of each column its distance, and how much of the AUC is lost where a column is shuffled among the rows of its table
  (why, where asked): of columns of numbers and dates the greatest difference of the distribution functions (Kolmogorov and Smirnov), of
  others the sum of the positive differences of the shares of labels; cells that are missing count as a value below all others

Numbers and dates are numbers, other cells the position of their text among the texts of the column, categorical where there are at most
200. Missing cells are NaN.
"""

import csv
import json
import re
import sys
from datetime import datetime

try:
    import numpy as np
    import sklearn
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
except ImportError as error:
    print(json.dumps({"error": f"expected numpy and scikit-learn (Debian: python3-sklearn; SKLAR_PYTHON names another python3): {error}"}), flush=True)
    sys.exit(0)

MOST_LABELS = 200
FOLDS = 5


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def as_number(text):
    """Of a number, a percentage, a date or a time; None: another text."""
    text = text.strip()
    if re.fullmatch(r"0\d+", text):
        return None
    try:
        return float(text.removesuffix("%").strip())
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def encode(columns):
    """Columns of texts as one matrix, and which of them are categories."""
    encoded, categorical = [], []
    for texts in columns:
        there = [text for text in texts if text != ""]
        numbers = {text: as_number(text) for text in set(there)}
        labels = any(number is None for number in numbers.values())
        if labels:
            numbers = {text: k for k, text in enumerate(sorted(set(there)))}
        encoded.append([numbers[text] if text != "" else np.nan for text in texts])
        categorical.append(labels and len(numbers) <= MOST_LABELS)
    return np.array(encoded, dtype=float).T, categorical


def distance(x, y, labels):
    x, y = (np.where(np.isnan(values), -np.inf, values) for values in (x, y))
    at = np.unique(np.concatenate([x, y]))
    if labels:
        shares = [np.array([np.mean(values == one) for one in at]) for values in (x, y)]
        return float(np.maximum(shares[0] - shares[1], 0).sum())
    levels = [np.searchsorted(np.sort(values), at, side="right") / len(values) for values in (x, y)]
    return float(np.abs(levels[0] - levels[1]).max())


def judge(data, sample, aside, why):
    names, first = read(data)
    others, second = read(sample)
    if names != others:
        raise ValueError(f"expected the columns {names}, got {others}")
    chosen = [j for j, name in enumerate(names) if name not in aside]
    x, categorical = encode([[row[j] for row in first + second] for j in chosen])
    y = np.repeat([0, 1], [len(first), len(second)])
    scores = np.empty(len(y))
    random = np.random.default_rng(1)
    lost = {}
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(x, y):
        model = HistGradientBoostingClassifier(categorical_features=categorical, random_state=1)
        model.fit(x[train], y[train])
        scores[test] = model.predict_proba(x[test])[:, 1]
        if why:
            whole = roc_auc_score(y[test], scores[test])
            for k, j in enumerate(chosen):
                shuffled = x[test].copy()
                shuffled[:, k] = random.permutation(shuffled[:, k])
                part = roc_auc_score(y[test], model.predict_proba(shuffled)[:, 1])
                lost[names[j]] = lost.get(names[j], 0) + (whole - part) / FOLDS
    columns = [
        {"name": names[j], "distance": distance(x[y == 0, k], x[y == 1, k], categorical[k])}
        for k, j in enumerate(chosen)
    ]
    return {"auc": float(roc_auc_score(y, scores)), "columns": columns, "lost": lost}


def main():
    print(json.dumps({"sklearn": sklearn.__version__, "numpy": np.__version__}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(judge(asked["data"], asked["sample"], asked["aside"], asked.get("why", False))), flush=True)


main()
