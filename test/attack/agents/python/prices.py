"""What the agent thinks a bouquet costs: imported when it is asked for, as agents load their tools."""
PRICE = 100
