"""What stands in front of the app that uvicorn serves, whichever it is."""
