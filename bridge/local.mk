# what bridge/ builds, installs and checks
