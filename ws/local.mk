# what ws/ builds, installs and checks
