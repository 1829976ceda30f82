"""The learned survival model: features of the CT before and after treatment that look at each other (section 3.3)."""
