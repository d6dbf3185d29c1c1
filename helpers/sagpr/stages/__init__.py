"""The four commands of the handout, each a stage that leaves files behind."""
