# what tests/browser/ builds, installs and checks
