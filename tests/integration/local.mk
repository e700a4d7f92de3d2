# what tests/integration/ builds, installs and checks
