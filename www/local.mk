# what www/ builds, installs and checks
