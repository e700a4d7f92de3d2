# what doc/ builds, installs and checks
