"""Many clusters at once: what each stack file asks for, what its nodes say, and one row for each."""
