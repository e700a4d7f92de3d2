# what broker/ builds, installs and checks
