# what tools/ builds, installs and checks
