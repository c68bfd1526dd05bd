"""Rules of fusion, one file per hazard, found by scan; `issue.stage.rule_for` picks the one that fits best."""
