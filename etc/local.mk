# what etc/ builds, installs and checks
