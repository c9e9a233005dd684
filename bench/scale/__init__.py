"""What more workers are worth, and what the machine leaves them."""
