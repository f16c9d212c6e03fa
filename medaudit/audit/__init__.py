"""Attribution -> Finding."""
