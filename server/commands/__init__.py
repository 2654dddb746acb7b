"""What each command of ``difyspec`` does. Heavy imports wait until a command runs: ``--help`` stays instant."""
