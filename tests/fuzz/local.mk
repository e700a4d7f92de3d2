# what tests/fuzz/ builds, installs and checks
