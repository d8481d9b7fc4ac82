"""The benchmark's prompts: 80 topics with 40 templates, split by topic into two halves that share no prompt.

Thresholds that were fixed on one half are scored on the other. The shipped corpus for calibration is a third set.
"""

from __future__ import annotations

TOPICS = (
    "tides", "bread", "railway timetables", "volcanoes", "the violin", "honey bees", "compound interest", "glaciers",
    "chess openings", "cheese making", "solar panels", "desert foxes", "city parks", "lighthouses", "paper recycling",
    "the water cycle", "bicycle repair", "night markets", "map projections", "jazz drumming", "vaccines", "olive trees",
    "data backups", "kite building", "migrating birds", "wool", "public libraries", "earthquakes", "tea ceremonies",
    "prime numbers", "street lighting", "coral reefs", "book binding", "rain barrels", "the printing press",
    "sleep",
    "mountain huts", "potato farming", "satellite orbits", "old bridges", "hand washing", "rowing boats",
    "opera houses",
    "weather balloons", "rice terraces", "spreadsheets", "wind turbines", "school gardens", "clay pottery",
    "snow plows",
    "job interviews", "river ferries", "crossword puzzles", "beekeeping in cities", "the human heart", "lock picking",
    "soap", "football referees", "magnetic compasses", "tomato plants", "time zones", "letter writing", "cold storage",
    "roundabouts", "pottery kilns", "astronaut food", "museum guards", "sourdough starters", "fire drills", "knitting",
    "hedgehogs", "passwords", "cork oaks", "traffic noise", "ice skating", "family recipes", "elevators", "moss",
    "radio drama", "ship canals",
)  # fmt: skip
SYSTEMS = (
    "You answer briefly and plainly.",
    "You are a patient teacher. Your pupils are ten years old and like examples from daily life. Never use more than "
    "three sentences at a time, and avoid foreign words wherever you can.",
    "You are a careful editor. You always write in the present tense, you never begin two sentences with the same "
    "word, and you end with a question to the reader.",
)
QUESTIONS = (
    "Explain {topic} in two sentences.",
    "Write a short poem about {topic}.",
    "List three facts about {topic}, one per line.",
    "What should a beginner know about {topic}?",
    "Give a JSON object with the keys name, kind and use that describes {topic}.",
    "Write a Python function whose name has to do with {topic}. Add a docstring.",
    "Translate into French: I read a long article about {topic} yesterday.",
    "Is it true that everybody likes {topic}? Answer yes or no and give one reason.",
    "I am writing a letter to a friend about {topic}. How could it begin?",
    "Summarise: The council met for three hours. The first point was {topic}, the second was money, and the third was "
    "left for next week because two members had gone home. A decision about {topic} is expected in spring.",
    "Continue the story: When she opened the door, all she could see was {topic}",
    "What is 17 times 23? And what has that to do with {topic}?",
    "Name five words that rhyme with a word from this list: {topic}, stone, river.",
    "Describe {topic} to someone who has never heard of it.",
)


def prompt(place: int) -> tuple[tuple[str, str], ...]:
    """Prompt number `place` as (role, content) pairs; every place below `count()` is another prompt."""
    topic, kind = TOPICS[place % len(TOPICS)], place // len(TOPICS)
    question = QUESTIONS[kind % len(QUESTIONS)].replace("{topic}", topic)
    style = kind // len(QUESTIONS)
    if style < len(SYSTEMS):
        return (("system", SYSTEMS[style]), ("user", question))
    return (("user", question),)


def count() -> int:
    return len(TOPICS) * len(QUESTIONS) * (len(SYSTEMS) + 1)


def half(place: int) -> int:
    """0 or 1: the half of the topics that a prompt belongs to."""
    return place % len(TOPICS) % 2
