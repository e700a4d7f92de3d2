# what tests/bench/ builds, installs and checks
