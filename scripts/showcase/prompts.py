"""What the demo's requesters ask. None of these stands in the calibration corpus (a test compares)."""

QUESTIONS = (
    "What is the capital of France, and which river runs through it?",
    "Name three animals that live in the desert and one thing that each of them eats.",
    "Write two sentences about why leaves change colour in autumn.",
    "How do you make a cup of green tea?",
    "Explain in one paragraph what a lighthouse is for.",
    "Give me four words that rhyme with 'stone'.",
    "What should I pack for a weekend hike in the mountains?",
    "Describe the taste of a ripe tomato to somebody who never had one.",
    "Why does ice float on water?",
    "Write a short note that thanks a neighbour for watering my plants.",
    "What is the difference between a violin and a cello?",
    "List the steps to change a bicycle tyre.",
    "Who was Marie Curie and what is she known for?",
    "Tell me about a rainy day in a small harbour town.",
    "How many minutes are in three and a half hours? Explain.",
)
