"""The sentences of `pocketlab.data.messages`: what a message is about, and how it is said.

Slots stand in braces and are those of `message_draw.Slots`. No sentence begins with a time, which would change its spelling.
"""

from __future__ import annotations

from dataclasses import dataclass

ANYWHERE = ("eatery", "pub", "street", "station", "venue", "shop", "school")


@dataclass(frozen=True)
class Scenario:
    """One thing that people write about.

    what: its name in a summary. cores: ways to say it, each with a place and a time. replies: key of `REPLIES`, or "" where
    nobody answers. hours: when it happens. header: what may stand on the line above the text, parted by |.
    """

    what: str
    sorts: tuple[str, ...]
    hours: tuple[int, int]
    cores: tuple[str, ...]
    replies: str = ""
    header: str = ""


MESSAGES = (
    Scenario("dinner", ("eatery", "pub", "street"), (17, 23), (
        "Dinner {at_place} {on_day} at {time}?",
        "Shall we have dinner {at_place} at {time}?",
        "I am cooking {on_day}, come to {place} at {time}.",
        "I got us a table {at_place} {on_day}. Be there at {time}.",
        "We eat {at_place} at {time}, please join us.",
        "Do you feel like dinner {on_day}? I thought of {place}, around {time}.",
        "My parents invite you to dinner {at_place} at {time}.",
    ), "invitation"),
    Scenario("lunch", ("eatery", "pub"), (11, 15), (
        "Lunch {at_place} at {time}?",
        "Are you free for lunch {on_day}? We could meet {at_place} at {time}.",
        "A few of us go for lunch {at_place}, leaving at {time}.",
        "I am hungry already. How about {place} at {time}?",
        "Let us have lunch {on_day}, say {time}, {at_place}.",
    ), "invitation"),
    Scenario("coffee", ("eatery", "station", "shop"), (8, 18), (
        "Coffee {at_place} at {time}?",
        "I am in town {on_day}. Time for a coffee {at_place} at {time}?",
        "Can we talk about {topic} over a coffee? I am {at_place} from {time}.",
        "Meet me for a coffee {at_place}, {time} if you can.",
        "Long time no see! Coffee {on_day}, {place}, {time}?",
    ), "invitation"),
    Scenario("meeting about {topic}", ("room", "street", "school"), (8, 18), (
        "The meeting about {topic} is {at_place} at {time}.",
        "Can we meet {on_day} at {time} to talk about {topic}? I booked {place}.",
        "Meeting about {topic}: {at_place}, {on_day}, {time}.",
        "We need to go over {topic}. Does {time} {at_place} suit you?",
        "I set up a meeting {at_place} for {time}. It is about {topic}.",
        "Please come to {place} at {time}, we have to decide about {topic}.",
    ), "invitation"),
    Scenario("pick-up", ("station", "school", "street", "venue"), (6, 23), (
        "Can you pick me up {at_place} at {time}?",
        "Please pick up the children {at_place} at {time}, I am stuck at work.",
        "I arrive {at_place} {on_day} at {time}. Could you fetch me?",
        "Could you collect my parcel {at_place} before {time}?",
        "My lift fell through. Would you pick me up {at_place} {on_day} at {time}?",
        "I will pick you up {at_place} at {time}, wait at the entrance.",
    ), "favor"),
    Scenario("delay", ANYWHERE, (6, 23), (
        "I am running late and will be {at_place} at {time}, not {old_time}.",
        "Sorry, the train is {minutes} minutes late. I should be {at_place} at {time}.",
        "There is a traffic jam on the way to {place}. Expect me at {time}.",
        "I missed the bus, so it will be {time} before I reach {place}.",
        "It takes longer here. I can be {at_place} at {time} instead of {old_time}.",
        "Stuck in a queue, {minutes} minutes behind. See you {at_place} at {time}.",
    ), "news"),
    Scenario("new time", ANYWHERE, (7, 23), (
        "Change of plan: we meet {at_place} at {time}, not at {old_time}.",
        "Could we move it from {old_time} to {time}? Still {at_place}.",
        "The appointment {at_place} has moved to {time}, {old_time} was taken.",
        "I cannot make {old_time}. Is {time} {at_place} all right {on_day}?",
        "New time for {place}: {time} instead of {old_time}.",
    ), "news"),
    Scenario("new place", ANYWHERE, (7, 23), (
        "Change of plan: {place} instead of {old_place}, still at {time}.",
        "{old_place} is closed, so let us meet {at_place} at {time}.",
        "We are not at {old_place} any more. Come to {place} at {time}.",
        "Not {old_place}, sorry. The right address is {place}, {on_day} at {time}.",
        "It is too loud at {old_place}. Shall we say {place}, {time}?",
    ), "news"),
    Scenario("show", ("venue",), (16, 23), (
        "I have two tickets for {place} {on_day}, it starts at {time}. Want to come?",
        "There is a show {at_place} at {time}. Shall we go?",
        "The film starts at {time} {at_place}, I would love to see it with you.",
        "{place} {on_day}? Doors open at {time}.",
    ), "invitation"),
    Scenario("training", ("venue", "school"), (7, 22), (
        "Training is {at_place} {on_day} at {time}.",
        "We play {at_place} at {time} and still need one more. Are you in?",
        "A run {on_day}? I start {at_place} at {time}.",
        "The match {at_place} begins at {time}, be there {minutes} minutes earlier.",
    ), "invitation"),
    Scenario("help", ("street", "shop", "school"), (8, 20), (
        "Could you help me with {topic} {on_day}? I am {at_place} from {time}.",
        "I need a hand with {topic}. Can you be {at_place} at {time}?",
        "Would you look at {topic} with me, {at_place}, at {time}?",
        "We are moving {on_day} and could use help {at_place} from {time} on.",
    ), "favor"),
    Scenario("doctor's appointment", ("clinic",), (7, 18), (
        "My appointment {at_place} is {on_day} at {time}. Could you drive me?",
        "The doctor can see me {at_place} at {time}. Will you come with me?",
        "Do not forget: we have to be {at_place} at {time}.",
        "I got an appointment {at_place}, {on_day}, {time}. Can you watch the children?",
    ), "favor"),
)  # fmt: skip

NOTIFICATIONS = (
    Scenario("delivery", ("street", "shop", "station"), (7, 21), (
        "{person} delivers your parcel to {place} at {time}.",
        "Your parcel will arrive {at_place} at {time}. Courier: {person}.",
        "Your order is on its way. {person} will be {at_place} by {time}, pickup code {code}.",
        "Delivered {at_place} at {time}, handed to {person}.",
    ), header="Parcelo|Swiftbox|Postway"),
    Scenario("payment", ("shop", "eatery", "pub", "station"), (6, 23), (
        "{person} paid {amount} {at_place} at {time} with the shared card.",
        "Card payment of {amount} {at_place}, {time}. Card holder: {person}.",
        "{amount} spent {at_place} at {time} by {person}. Not you? Call {phone}.",
        "{person} requests {amount} for {place}, please confirm before {time}.",
    ), header="Moneta Bank|Paylane|Cardwise"),
    Scenario("appointment", ("room", "street", "clinic", "school"), (7, 20), (
        "{person}, {place}, {time}: {topic}.",
        "At {time}: {topic} with {person} {at_place}.",
        "Starts in {minutes} minutes, at {time}: {person}, {place}.",
        "{person} moved your appointment {at_place} from {old_time} to {time}.",
        "{person} invites you {on_day} at {time}, {at_place}.",
    ), header="Calendar|Dayplan"),
    Scenario("ride", ("street", "station", "venue"), (0, 24), (
        "{person} arrives {at_place} at {time} in a white car, plate {code}.",
        "Your driver {person} is {minutes} minutes away. Pick-up {at_place} at {time}.",
        "Ride {on_day} confirmed: {person}, {place}, {time}, {amount}.",
        "{person} waits for you {at_place} until {time}.",
    ), header="Ridely|Cabfinder"),
    Scenario("departure", ("station", "bus stop"), (4, 24), (
        "{person} shares a trip: line {line} leaves {place} at {time}, platform {platform}.",
        "Line {line} from {place} is late: now {time} instead of {old_time}. Traveler: {person}.",
        "Check in, {person}. Line {line} leaves {place} at {time}.",
        "Platform change {at_place}: line {line} at {time} from platform {platform}. Ticket of {person}.",
    ), header="Cityline|Railmate"),
    Scenario("reservation", ("eatery", "pub", "venue"), (11, 23), (
        "Table for {count} {at_place} {on_day} at {time}, in the name of {person}.",
        "{place} confirms {person}, {count} seats, {time}.",
        "Reservation of {person} {at_place}: {on_day}, {time}. To cancel, call {phone}.",
    ), header="Tablefinder|Seatly"),
    Scenario("safety", ("street", "school", "venue", "station"), (0, 24), (
        "{person} reached {place} at {time}.",
        "{person} left {place} at {time}.",
        "The phone of {person} was last seen {at_place} at {time}, battery {minutes} %.",
        "Motion {at_place} at {time}. Contact {person} or call {phone}.",
    ), header="Family Finder|Homewatch"),
)  # fmt: skip

MAILS = (
    Scenario("meeting about {topic}", ("room", "street", "school"), (8, 18), (
        "I would like to invite you to a meeting about {topic}. It takes place {at_place} {on_day} and begins at {time}.",
        "As we discussed, we should settle the matter of {topic}. I suggest {on_day} at {time}, {at_place}.",
        "The committee will speak about {topic} {on_day}. Please come to {place} at {time}.",
        "Several people asked about {topic}. I have therefore booked {place} for {on_day}, from {time}.",
    ), "formal", "{topic}|Invitation|Meeting {on_day}"),
    Scenario("interview", ("room", "street"), (8, 18), (
        "Thank you for your application. We would like to meet you {on_day} at {time}, {at_place}.",
        "We read your application with interest and invite you to an interview {at_place} at {time}.",
        "Your interview is {on_day}. Please be {at_place} at {time} and ask for me at the reception.",
    ), "formal", "Your application|Interview"),
    Scenario("appointment", ("clinic", "shop", "street"), (7, 19), (
        "This is to confirm your appointment {at_place} {on_day} at {time}.",
        "Your appointment had to be moved. The new one is {on_day} at {time}, {at_place}, not at {old_time}.",
        "We can offer you an appointment {at_place} at {time} {on_day}.",
    ), "formal", "Your appointment|Confirmation|Appointment {on_day}"),
    Scenario("viewing", ("street",), (8, 20), (
        "The apartment you asked about is still free. You can view it {on_day} at {time}; the address is {place}.",
        "I could show you the apartment {at_place} at {time}. The rent is {amount}.",
        "There will be a viewing {at_place} {on_day}. It begins at {time} and takes about {minutes} minutes.",
    ), "formal", "Apartment|Viewing {on_day}"),
    Scenario("parents' evening", ("school", "room"), (16, 21), (
        "The parents' evening is {on_day} at {time}, {at_place}. We will talk about {topic}.",
        "All parents are invited to {place} at {time}. The subject is {topic}.",
    ), "formal", "Parents' evening|To all parents"),
    Scenario("party", ("eatery", "pub", "street", "venue"), (14, 23), (
        "I turn forty, and I want to celebrate it with you: {on_day}, {at_place}, from {time} on.",
        "After so many years we are finally getting married. The party is {at_place} and begins at {time}.",
        "It is time for our summer party again. We meet {at_place} {on_day} at {time}.",
    ), "invitation", "Party|Invitation|Save the date"),
)  # fmt: skip

REMINDERS = (
    Scenario("meeting about {topic}", ("room", "eatery", "street"), (7, 21), (
        "Meet {person} {at_place} at {time}: {topic}.",
        "Talk to {person} about {topic}: {place}, {time}.",
        "Ask {person} about {topic}, {on_day} at {time} {at_place}.",
    )),
    Scenario("pick-up", ("station", "school", "venue"), (6, 23), (
        "Pick up {person} {at_place} at {time}.",
        "Fetch {person} from {place}, {on_day}, {time}.",
        "Leave early: {person} waits {at_place} from {time}.",
    )),
    Scenario("errand", ("shop", "clinic", "street"), (7, 20), (
        "Get {item} {at_place} for {person} before {time}.",
        "Return {item} to {person}, {place}, by {time}.",
        "Bring {item} to {person} {at_place} at {time}.",
        "{place} closes at {time}. Collect {item} for {person}.",
    )),
    Scenario("celebration", ("eatery", "pub", "venue", "street"), (12, 23), (
        "Birthday of {person} {on_day}, {at_place}, {time}. Bring {item}.",
        "Farewell party of {person} {at_place} at {time}.",
        "Congratulate {person} {on_day}, party {at_place} at {time}.",
    )),
)  # fmt: skip
