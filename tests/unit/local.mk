# what tests/unit/ builds, installs and checks
